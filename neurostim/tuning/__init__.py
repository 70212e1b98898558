"""Tuning a protocol: an outer Bayesian optimisation, each evaluation of which is a trial."""
