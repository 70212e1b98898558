"""Validation: the published figures that a virtual patient must reproduce, ours beside them."""
