"""Addressed randomness: each random number of a simulation has an address; none is consumed.

The generator is Philox-4x32 with ten rounds (Salmon, Moraes, Dror and Shaw 2011, "Parallel random
numbers: as easy as 1, 2, 3", SC11). The seed is its key; patient, time, purpose and draw are its
counter. An arm is no part of the address: the same patient meets the same luck in every arm, so
that every comparison between arms is paired.
"""

from enum import IntEnum
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from patient_models.arrays import Floats

N_ROUNDS = 10
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL_STEPS = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF
SHIFT = np.uint64(32)
LOW_WORD = np.uint64(WORD)

Words: TypeAlias = NDArray[np.uint64]


class Purpose(IntEnum):
    """What a random number is for; a number, once given, never changes its meaning.

    Numbers from 100 up belong to controllers.
    """

    TRAITS = 1
    WEEK = 2
    DAY = 3
    PARENT = 4
    OFFSPRING = 5
    SIDE_EFFECT = 6
    TWIN = 7
    ALLOCATION = 8
    VISIT = 9
    CONTROLLER = 100


def quads(
    seed: int, patient: ArrayLike, time: ArrayLike, purpose: ArrayLike, draw: ArrayLike = 0
) -> list[Floats]:
    """Four uniform numbers at each of these addresses, to 32 bits, strictly between 0 and 1."""
    words = philox(counter_of(seed, patient, time, purpose, draw), (seed & WORD, seed >> 32))
    return [np.asarray((each.astype(np.float64) + 0.5) * 2.0**-32) for each in words]


def uniforms(
    seed: int, patient: ArrayLike, time: ArrayLike, purpose: ArrayLike, draw: ArrayLike = 0
) -> Floats:
    """Uniform numbers at these addresses, broadcast against each other, strictly between 0 and 1.

    Raises `ValueError` for a seed outside 64 bits or an address outside 32 bits.
    """
    counter = counter_of(seed, patient, time, purpose, draw)
    first, second, _, _ = philox(counter, (seed & WORD, seed >> 32))
    bits = (first << SHIFT | second) >> np.uint64(12)
    # Odd multiples of 2**-53: 53 bits, symmetric about one half, and 0 and 1 are impossible. Adding
    # one half to 53 random bits instead would round up to exactly 1.
    return np.asarray((bits.astype(np.float64) + 0.5) * 2.0**-52)


def counter_of(
    seed: int, patient: ArrayLike, time: ArrayLike, purpose: ArrayLike, draw: ArrayLike
) -> list[Words]:
    """The four words of these addresses, once the seed has been checked too."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed = {seed}: 0 to 2**64 - 1 was expected")
    parts = {"patient": patient, "time": time, "purpose": purpose, "draw": draw}
    return [word(name, values) for name, values in parts.items()]


def word(name: str, values: ArrayLike) -> Words:
    """These whole numbers as 32-bit words, each held in 64 bits."""
    numbers = np.asarray(values)
    if numbers.dtype.kind not in "iu":
        raise ValueError(f"{name} = {values!r}: whole numbers were expected")
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) > WORD):
        raise ValueError(f"{name} = {values!r}: 0 to 2**32 - 1 was expected")
    return numbers.astype(np.uint64)


@lru_cache(maxsize=64)
def round_keys(key: tuple[int, int]) -> list[tuple[np.uint64, np.uint64]]:
    """The two words that each round adds, from a key of two words."""
    return [
        (
            np.uint64((key[0] + i * WEYL_STEPS[0]) & WORD),
            np.uint64((key[1] + i * WEYL_STEPS[1]) & WORD),
        )
        for i in range(N_ROUNDS)
    ]


def philox(counter: list[Words], key: tuple[int, int]) -> list[Words]:
    """Four random words for each counter of four words, under a key of two words."""
    c0, c1, c2, c3 = counter
    for k0, k1 in round_keys(key):
        # Both factors are below 2**32, so that 64 bits hold the products.
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (right >> SHIFT) ^ c1 ^ k0,
            right & LOW_WORD,
            (left >> SHIFT) ^ c3 ^ k1,
            left & LOW_WORD,
        )
    return [c0, c1, c2, c3]
