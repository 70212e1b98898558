import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import LIST, history_of, random_history, seen

from neurostim.history import MISSING, TREATMENT, History, row_setting, setting_row
from protocols import OFF, Mode, Setting

settings = st.builds(
    Setting,
    site=st.integers(0, 9),
    amplitude_ua=st.integers(0, 12_000),
    frequency_hz=st.integers(0, 333),
    pulse_width_us=st.integers(0, 1000),
) | st.builds(
    Setting,
    site=st.integers(0, 9),
    amplitude_ua=st.integers(0, 12_000),
    frequency_hz=st.integers(0, 333),
    pulse_width_us=st.integers(0, 1000),
    on_ms=st.integers(1, 60_000),
    off_ms=st.integers(1, 600_000),
    mode=st.sampled_from([Mode.CYCLING, Mode.RESPONSIVE]),
)


@given(settings | st.none())
def test_a_setting_survives_its_row(setting: Setting | None) -> None:
    assert row_setting(setting_row(setting)) == setting


def test_columns_tell_what_the_records_tell() -> None:
    history = history_of(40, (LIST[1], 12, 0), (LIST[2], None, 2))
    baseline, first, second = history.patient(0)
    assert (baseline.phase, baseline.n_seizures, baseline.delivered) == ("baseline", 40, OFF)
    assert first.rate_per_day == pytest.approx(12 / 28)
    assert second.rate_per_day is None
    assert second.worst_grade == 2
    assert history.n_seizures[0].tolist() == [40, 12, MISSING]


def test_patients_may_fall_out_of_step() -> None:
    history = History.empty([7, 8])
    history = history.append(np.array([1]), TREATMENT, [None], [seen(LIST[1], 3)])
    history = history.append(np.array([0, 1]), TREATMENT, [OFF, OFF], [seen(OFF, 4), seen(OFF, 5)])
    assert history.n_epochs.tolist() == [1, 2]
    assert [epoch.n_seizures for epoch in history.patient(1)] == [3, 5]
    assert history.patient(1)[0].requested is None
    assert history.is_epoch.tolist() == [[True, False], [True, True]]


def test_rows_are_the_history_of_those_patients_alone() -> None:
    history = random_history(1, list(range(6)), 9)
    part = history.rows(np.array([4, 2]))
    assert part.patients.tolist() == [4, 2]
    assert part.patient(0) == history.patient(4)
    assert part.patient(1) == history.patient(2)


def test_appending_leaves_the_old_history_alone() -> None:
    before = history_of(40)
    before.append(np.array([0]), TREATMENT, [OFF], [seen(OFF, 1)])
    assert before.n_epochs.tolist() == [1]
    assert len(before.patient(0)) == 1
