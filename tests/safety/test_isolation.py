"""A review depends on what it is given and on nothing else: no order, no batch, no neighbour."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import OFF, Proposal
from safety import Past, review
from tests.safety.strategies import (
    NOT_INTEGERS,
    SHIPPED,
    overwritten,
    propose,
    settings_of,
    silences,
    wishes,
)

WILD = list(NOT_INTEGERS)


def live(envelope, patient: int, steps: list[tuple[int, object]], wave: int, past: Past) -> Past:
    silence, wish = steps[wave]
    now = past.at_s + silence
    return review(propose(envelope, past, wish, now, patient=patient), past, envelope, now).past


@pytest.mark.req("SR-06")
@pytest.mark.req("SR-07")
@settings(max_examples=150)
@given(st.data())
def test_a_poisoned_neighbour_changes_nobody_else(data: st.DataObject) -> None:
    envelope = data.draw(st.sampled_from(list(SHIPPED.values())))
    n_patients, n_waves = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 4))
    step = st.tuples(silences(envelope), wishes(envelope))
    plans = [
        data.draw(st.lists(step, min_size=n_waves, max_size=n_waves)) for _ in range(n_patients)
    ]
    alone = [Past.start(patient) for patient in range(n_patients)]
    for patient, plan in enumerate(plans):
        for wave in range(n_waves):
            alone[patient] = live(envelope, patient, plan, wave, alone[patient])

    poisoned = data.draw(st.integers(0, n_patients - 1))
    together = [Past.start(patient) for patient in range(n_patients)]
    for wave in range(n_waves):
        for patient in data.draw(st.permutations(range(n_patients))):
            past = together[patient]
            if patient == poisoned:
                setting = data.draw(settings_of(envelope))
                bad = NOT_INTEGERS[data.draw(st.sampled_from(WILD))]
                poison = overwritten(setting, amplitude_ua=bad)
                review(propose(envelope, past, poison, past.at_s), past, envelope, past.at_s)
                review(bad, past, envelope, past.at_s)
            else:
                together[patient] = live(envelope, patient, plans[patient], wave, past)
    for patient in set(range(n_patients)) - {poisoned}:
        assert together[patient] == alone[patient]


@pytest.mark.req("SR-06")
@pytest.mark.parametrize("envelope", SHIPPED.values(), ids=SHIPPED)
def test_the_same_review_gives_the_same_verdict_and_changes_nothing_it_is_given(envelope) -> None:
    luck = Random(3)
    space = [*envelope.space]
    past = Past.start(7)
    for now in range(300):
        proposal = propose(envelope, past, luck.choice(space), now)
        before = repr((past, envelope, proposal))
        first, second = (review(proposal, past, envelope, now) for _ in range(2))
        assert first == second
        assert repr((past, envelope, proposal)) == before
        past = first.past


@pytest.mark.req("SR-07")
def test_a_proposal_for_one_patient_does_nothing_to_another() -> None:
    envelope = SHIPPED["research"]
    legal = [*envelope.space][1]
    for patient in (0, 2):
        proposal = Proposal(
            patient=patient, sequence=0, at_s=0, envelope_hash=envelope.hash, setting=legal
        )
        assert review(proposal, Past.start(1), envelope, 0).delivered == OFF
