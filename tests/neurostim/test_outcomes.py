import math

import pandas as pd
import pytest

from neurostim.outcomes import evaluation_start, outcomes

SCHEDULE = {"baseline_days": 56, "treatment_days": 168, "epoch_days": 14, "evaluation_days": 84}


def epoch(phase: str, start_day: int, days: int, n: int | None, recorded: int) -> dict[str, object]:
    """One row of one patient of one arm at an off setting."""
    names = ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
    return {
        "patient": 0, "arm": "only", "epoch": start_day, "phase": phase,
        "start_day": start_day, "days": days,
        **{f"{kind}_{name}": 0 for kind in ("requested", "delivered") for name in names},
        "requested_mode": "continuous", "delivered_mode": "continuous", "ruling": "accepted",
        "rules": "", "findings": "", "fault": "", "n_seizures": n, "days_recorded": recorded,
        "worst_grade": None, "stimulation_s": 0, "charge_uc": 0, "energy_mj": 0,
        "impedance_ohm": 1000, "battery_permille": 1000, "n_incidents": 0,
        "true_n_seizures": n or 0, "true_rate_per_day": 0.5, "true_is_unsafe": False,
    }  # fmt: skip


def one_patient(*epochs: dict[str, object]) -> pd.Series:
    frame = pd.DataFrame(epochs).astype({"n_seizures": "Int64", "worst_grade": "Int64"})
    patients = pd.DataFrame(
        {"patient": [0], "true_rate_off_per_day": [0.5], "true_rate_best_per_day": [0.2]}
    )
    return outcomes(frame, patients, SCHEDULE).iloc[0]


def test_missing_days_leave_the_denominator() -> None:
    found = one_patient(
        epoch("baseline", 0, 28, 10, 20),
        epoch("baseline", 28, 28, None, 0),
        epoch("treatment", 56, 84, 0, 84),
        epoch("treatment", 140, 42, 6, 24),
        epoch("treatment", 182, 42, None, 0),
    )
    assert found["baseline_rate_28"] == pytest.approx(14.0)
    assert found["evaluation_rate_28"] == pytest.approx(7.0)
    assert found["percent_change"] == pytest.approx(-50.0)
    assert bool(found["is_responder_50"])
    assert not found["is_seizure_free"]


def test_an_epoch_belongs_to_the_window_when_it_begins_inside() -> None:
    found = one_patient(
        epoch("baseline", 0, 56, 20, 56),
        epoch("treatment", 56, 83, 0, 80),
        epoch("treatment", 139, 14, 99, 14),
        epoch("treatment", 153, 71, 3, 70),
    )
    assert (found["n_evaluation"], found["days_evaluation"]) == (3, 70)


def test_window_follows_where_treatment_begins() -> None:
    frame = pd.DataFrame([epoch("baseline", 0, 56, 1, 56), epoch("treatment", 70, 14, 1, 14)])
    assert evaluation_start(frame, SCHEDULE) == 70 + 84


@pytest.mark.parametrize(
    ("recorded", "is_free"), [(84, True), (68, True), (67, False)], ids=["all", "80 %", "79 %"]
)
def test_seizure_freedom_needs_a_diary(recorded: int, is_free: bool) -> None:
    found = one_patient(
        epoch("baseline", 0, 56, 20, 56), epoch("treatment", 140, 84, 0, recorded),
        epoch("treatment", 56, 84, 1, 84),
    )  # fmt: skip
    assert found["is_seizure_free"] == is_free


def test_who_leaves_early_is_not_shown_to_be_free_of_seizures() -> None:
    found = one_patient(
        epoch("baseline", 0, 56, 20, 56),
        epoch("treatment", 56, 84, 1, 84),
        epoch("treatment", 140, 14, 0, 14),
    )
    assert found["n_evaluation"] == 0
    assert not found["is_seizure_free"]


def test_a_change_of_exactly_half_is_a_response() -> None:
    for n, days in ((6, 49), (14, 55), (22, 41), (34, 53)):
        found = one_patient(
            epoch("baseline", 0, 56, n, days),
            epoch("treatment", 56, 84, 1, 84),
            epoch("treatment", 140, 84, n // 2, days),
        )
        assert bool(found["is_responder_50"])


@pytest.mark.parametrize(
    ("n_early", "n_late", "is_free"),
    [(0, 0, (True, True)), (1, 0, (True, False)), (0, 1, (False, False))],
)
def test_freedom_in_the_last_months_is_their_own_window(
    n_early: int, n_late: int, is_free: tuple[bool, bool]
) -> None:
    found = one_patient(
        epoch("baseline", 0, 56, 20, 56),
        epoch("treatment", 56, 84, n_early, 84),
        epoch("treatment", 140, 84, n_late, 84),
    )
    months = (found["is_seizure_free_3_months"], found["is_seizure_free_6_months"])
    assert tuple(map(bool, months)) == is_free
    assert bool(found["is_seizure_free"]) == is_free[0]


def test_six_months_are_missing_in_a_shorter_treatment() -> None:
    rows = [epoch("baseline", 0, 56, 20, 56), epoch("treatment", 56, 84, 0, 84)]
    frame = pd.DataFrame(rows).astype({"n_seizures": "Int64", "worst_grade": "Int64"})
    truth = {"patient": [0], "true_rate_off_per_day": [0.5], "true_rate_best_per_day": [0.2]}
    found = outcomes(frame, pd.DataFrame(truth), {**SCHEDULE, "treatment_days": 84}).iloc[0]
    assert bool(found["is_seizure_free_3_months"])
    assert found["is_seizure_free_6_months"] is pd.NA


def test_a_change_of_nine_tenths_is_the_third_responder() -> None:
    for n, is_responder in ((10, True), (11, False)):
        found = one_patient(
            epoch("baseline", 0, 56, 100, 56),
            epoch("treatment", 56, 84, 1, 84),
            epoch("treatment", 140, 84, n, 56),
        )
        assert bool(found["is_responder_90"]) is is_responder
        assert bool(found["is_responder_75"])


def test_zero_baseline_gives_no_percent_change() -> None:
    found = one_patient(epoch("baseline", 0, 56, 0, 56), epoch("treatment", 140, 84, 3, 84),
                        epoch("treatment", 56, 84, 1, 84))  # fmt: skip
    assert math.isnan(found["percent_change"])
    assert found["is_responder_50"] is pd.NA
    assert found["is_worse_25"] is pd.NA
