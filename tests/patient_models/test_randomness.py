import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patient_models.randomness import Purpose, philox, quads, uniforms
from tests.patient_models.strategies import seeds, words

# Random123's kat_vectors: philox4x32, ten rounds.
KNOWN_ANSWERS = [
    ([0, 0, 0, 0], (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        (0xA4093822, 0x299F31D0),
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


def slow_philox(counter: list[int], key: tuple[int, int]) -> list[int]:
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        left, right = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1 = (right >> 32) ^ c1 ^ k0, right % 2**32
        c2, c3 = (left >> 32) ^ c3 ^ k1, left % 2**32
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


def slow_uniform(seed: int, counter: list[int]) -> float:
    first, second, _, _ = slow_philox(counter, (seed % 2**32, seed >> 32))
    return (2 * ((first * 2**32 + second) >> 12) + 1) / 2**53


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    assert slow_philox(counter, key) == answer
    assert [int(word) for word in philox([np.uint64(word) for word in counter], key)] == answer


@given(seeds, st.lists(words, min_size=4, max_size=4))
def test_the_vectorised_generator_agrees_with_the_slow_one(seed, counter):
    assert float(uniforms(seed, *counter)) == slow_uniform(seed, counter)


def test_addresses_are_broadcast_and_order_is_no_matter():
    patients, days = np.arange(5)[:, np.newaxis], np.arange(7)
    together = uniforms(3, patients, days, Purpose.DAY, 2)
    assert together.shape == (5, 7)
    for patient in range(5):
        for day in range(7):
            alone = uniforms(3, patient, day, Purpose.DAY, 2)
            assert together[patient, day] == alone


def test_extreme_bits_stay_inside_the_open_interval():
    for bits in (0, 2**52 - 1):
        assert 0 < (np.float64(bits) + 0.5) * 2.0**-52 < 1
    assert np.ptp(uniforms(1, 0, np.arange(100_000), 0)) < 1


def test_uniforms_are_uniform_and_unrelated_between_addresses():
    draws = uniforms(9, np.arange(20_000), 0, np.array([[1], [2]]), 0)
    # The mean of n uniforms has standard error sqrt(1 / 12 n), a correlation about sqrt(1 / n).
    assert abs(draws.mean() - 0.5) < 4 * np.sqrt(1 / 12 / draws.size)
    assert abs(draws.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / draws.size)
    assert abs(np.corrcoef(draws)[0, 1]) < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_has_64_bits(seed):
    with pytest.raises(ValueError, match=f"seed = {seed}"):
        uniforms(seed, 0, 0, 0)


@pytest.mark.parametrize("value", [-1, 2**32, 0.5])
@pytest.mark.parametrize("name", ["patient", "time", "purpose", "draw"])
def test_an_address_has_whole_words_of_32_bits(name, value):
    address = {"patient": 0, "time": 0, "purpose": 0, "draw": 0, name: value}
    with pytest.raises(ValueError, match=f"{name} = {value}"):
        uniforms(1, **address)


def test_purposes_never_change():
    assert {purpose.name: int(purpose) for purpose in Purpose} == {
        "TRAITS": 1,
        "WEEK": 2,
        "DAY": 3,
        "PARENT": 4,
        "OFFSPRING": 5,
        "SIDE_EFFECT": 6,
        "TWIN": 7,
        "ALLOCATION": 8,
        "VISIT": 9,
        "CONTROLLER": 100,
    }


def test_four_numbers_at_each_address_are_uniform_and_unrelated():
    draws = np.array(quads(9, np.arange(20_000), 0, Purpose.DAY))
    assert ((draws > 0) & (draws < 1)).all()
    assert (abs(draws.mean(axis=1) - 0.5) < 4 * np.sqrt(1 / (12 * 20_000))).all()
    correlations = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert (abs(correlations) < 4 / np.sqrt(20_000)).all()
    alone = quads(9, 77, 0, Purpose.DAY)
    np.testing.assert_array_equal(np.array(alone), draws[:, 77])
