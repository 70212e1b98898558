"""Beliefs that are larger than the machine are a sentence: otherwise the process is killed."""

import os

import torch

from protocols import InputError

LARGEST_SHARE = 0.2
"""Of this machine's memory that the rows of a belief may take; a refit takes four times as much."""


def check_fits(shape: tuple[int, int, int, int], like: torch.Tensor) -> None:
    """Raise `InputError` unless rows of this shape, `B K n M`, fit into memory.

    What a GPU cannot hold it refuses by itself.
    """
    if like.device.type != "cpu":
        return
    n_patients, _, n_rows, n_settings = shape
    n_bytes = like.element_size() * torch.Size(shape).numel()
    most = LARGEST_SHARE * memory_bytes()
    if n_bytes > most:
        raise InputError(
            f"{n_rows} results x {n_patients} patients x {n_settings} settings take "
            f"{n_bytes / 1e9:.1f} GB: at most {most / 1e9:.1f} GB were expected on this machine; "
            "take fewer at a time, or a shorter list"
        )


def memory_bytes() -> float:
    """Memory of this machine; infinite where the system does not say."""
    if not hasattr(os, "sysconf"):
        return float("inf")
    return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
