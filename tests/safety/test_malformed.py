"""What is no proposal, no setting or no whole number is held, and nothing ever rises for it."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from protocols import OFF, Mode, Proposal, Setting
from safety import Past, Rule, Ruling, review
from tests.safety.strategies import (
    NOT_INTEGERS,
    Explosive,
    Impostor,
    overwritten,
    propose,
    running,
    small_envelope,
    wild,
)

ENVELOPE = small_envelope()
CYCLING = Setting(
    site=1,
    amplitude_ua=4000,
    frequency_hz=50,
    pulse_width_us=120,
    on_ms=20_000,
    off_ms=30_000,
    mode=Mode.CYCLING,
)
MORE = replace(CYCLING, amplitude_ua=8000)
PAST = running(CYCLING)
ARRAYS = {
    "numpy int": np.int64(1000),
    "numpy float": np.float64(1000.0),
    "numpy bool": np.True_,
    "array": np.array([1000]),
    "empty array": np.array([]),
    "tensor": torch.tensor(1000),
    "float tensor": torch.tensor([1000.0, float("nan")]),
}
BAD = NOT_INTEGERS | ARRAYS


class ProposalOfItsOwn(Proposal):
    pass


class SettingOfItsOwn(Setting):
    pass


class FalseProposal:
    """Claims to be a Proposal and has all its fields."""

    patient, sequence, at_s, envelope_hash, setting = 7, 0, 0, ENVELOPE.hash, MORE
    __class__ = Proposal  # type: ignore[assignment]


def lacking(value: object, field: str) -> object:
    object.__delattr__(value, field)
    return value


def false_mode() -> object:
    return str.__new__(Mode, "cycling")


def table() -> dict[str, object]:
    rows: dict[str, object] = {}
    for name in [each.name for each in fields(Setting)]:
        for label, value in BAD.items():
            setting = overwritten(MORE, **{name: value})
            rows[f"setting with {name} {label}"] = propose(ENVELOPE, PAST, setting, 0)
        setting = lacking(replace(MORE), name)
        rows[f"setting without {name}"] = propose(ENVELOPE, PAST, setting, 0)
    for name in ("patient", "sequence", "at_s", "envelope_hash"):
        for label, value in BAD.items():
            rows[f"{name} {label}"] = propose(ENVELOPE, PAST, MORE, 0, **{name: value})
    for name in [each.name for each in fields(Proposal)]:
        rows[f"without {name}"] = lacking(propose(ENVELOPE, PAST, MORE, 0), name)
    for label, value in BAD.items():
        rows[f"setting is {label}"] = propose(ENVELOPE, PAST, value, 0)
        rows[f"proposal is {label}"] = value
    return rows | odd_ones()


def odd_ones() -> dict[str, object]:
    own = SettingOfItsOwn(**{each.name: getattr(MORE, each.name) for each in fields(Setting)})
    address = propose(ENVELOPE, PAST, MORE, 0)
    values = {each.name: getattr(address, each.name) for each in fields(Proposal)}
    return {
        "proposal of its own": ProposalOfItsOwn(**values),
        "false proposal": FalseProposal(),
        "empty proposal": object.__new__(Proposal),
        "proposal as a dictionary": values,
        "proposal as a tuple": tuple(values.values()),
        "setting of its own": propose(ENVELOPE, PAST, own, 0),
        "empty setting": propose(ENVELOPE, PAST, object.__new__(Setting), 0),
        "setting as a dictionary": propose(ENVELOPE, PAST, {"amplitude_ua": 8000}, 0),
        "false mode": propose(ENVELOPE, PAST, overwritten(MORE, mode=false_mode()), 0),
        "a cycle without its times": propose(
            ENVELOPE, PAST, overwritten(MORE, on_ms=0, off_ms=0), 0
        ),
        "continuous with times": propose(
            ENVELOPE, PAST, overwritten(MORE, mode=Mode.CONTINUOUS), 0
        ),
        "proposal for a proposal": propose(ENVELOPE, PAST, address, 0),
        "settings": propose(ENVELOPE, PAST, [MORE, MORE], 0),
        "explosive in a tuple": propose(ENVELOPE, PAST, (Explosive(), Impostor()), 0),
    }


TABLE = table()


@pytest.mark.req("SR-03")
def test_the_table_has_200_classes() -> None:
    assert len(TABLE) >= 200


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("label", TABLE)
def test_what_is_malformed_is_held_with_a_reason(label: str) -> None:
    verdict = review(TABLE[label], PAST, ENVELOPE, 0)
    assert verdict.delivered == CYCLING
    assert verdict.ruling is Ruling.HELD
    assert len(verdict.findings) == 1
    assert 0 < len(verdict.findings[0].sentence) < 200
    assert verdict.findings[0].rule is not Rule.DEFECT


@pytest.mark.req("SR-03")
@given(st.data())
def test_wild_fields_never_raise_and_never_raise_stimulation(data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from([each.name for each in fields(Setting)]), min_size=1))
    setting = overwritten(MORE, **{name: data.draw(wild()) for name in names})
    amplitude_ua = object.__getattribute__(setting, "amplitude_ua")
    proposal = propose(ENVELOPE, PAST, setting, 0)
    verdict = review(proposal, PAST, ENVELOPE, 0)
    assert not verdict.past.latched
    if type(amplitude_ua) is not int:
        assert verdict.delivered == CYCLING
    else:
        assert verdict.delivered == CYCLING or verdict.delivered.amplitude_ua <= amplitude_ua


@pytest.mark.req("SR-03")
@given(wild())
def test_wild_proposals_are_held(value: object) -> None:
    for proposal in (value, propose(ENVELOPE, PAST, value, 0)):
        assert review(proposal, PAST, ENVELOPE, 0).delivered == CYCLING


@pytest.mark.req("SR-03")
def test_a_controller_that_proposes_nothing_is_held_by_a_rule_of_its_own() -> None:
    for proposal in (None, propose(ENVELOPE, PAST, None, 0)):
        verdict = review(proposal, PAST, ENVELOPE, 0)
        assert (verdict.delivered, verdict.ruling) == (CYCLING, Ruling.HELD)
        assert [finding.rule for finding in verdict.findings] == [Rule.NO_PROPOSAL]


@pytest.mark.req("SR-03")
def test_what_is_delivered_is_a_copy_that_the_controller_has_no_hand_on() -> None:
    wish = replace(CYCLING, amplitude_ua=3000)
    verdict = review(propose(ENVELOPE, PAST, wish, 0), PAST, ENVELOPE, 0)
    object.__setattr__(wish, "amplitude_ua", 10**6)
    assert verdict.delivered.amplitude_ua == verdict.past.delivered.amplitude_ua == 3000


@pytest.mark.req("SR-03")
@pytest.mark.parametrize("now", [0.0, None, "0", True], ids=repr)
def test_a_clock_that_is_no_whole_number_stops_and_latches(now) -> None:
    verdict = review(propose(ENVELOPE, PAST, CYCLING, 0), PAST, ENVELOPE, now)
    assert verdict.delivered == OFF
    assert verdict.past.latched
    assert verdict.findings[0].rule is Rule.DEFECT


def test_a_patient_starts_without_stimulation() -> None:
    assert Past.start(3).delivered == OFF
