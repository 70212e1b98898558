"""Fans of futures: many simulated people, each lived by the trial's engine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from neurostim.app import futures
from neurostim.app.engine import Engine
from neurostim.app.futures import N_PEOPLE, QUANTILES, fans_of, monthly
from neurostim.app.life import Subject
from neurostim.app.offers import diary_subject
from patient_models import State
from patient_models.diaries import Diary
from patient_models.model import Kind
from protocols import OFF, InputError
from protocols.design import Arm
from safety import verify

N_DIARY_DAYS, N_DAYS = 56, 84
FIRST = date(2025, 3, 1)
SHAM = Arm(name="sham", controller="sham")


@dataclass(frozen=True)
class Taught:
    """A trait of which the diary explained three quarters of the variance."""

    name: str = "the rate"
    prior_mean: float = 0.0
    prior_sd: float = 1.0
    mean: float = 0.5
    sd: float = 0.5
    share: float = 0.75


@dataclass(frozen=True)
class FakeTwin:
    """People of the population, whatever the diary says."""

    people: tuple[State, ...]
    taught: Sequence[Taught] = (Taught(),)

    def states(self, n: int, seed: int) -> Sequence[State]:
        """The first of them."""
        return self.people[:n]


def subject_of(n_days: int) -> Subject:
    """Somebody who wrote a seizure on every third of so many days."""
    days = {FIRST + timedelta(days=day): int(day % 3 == 0) for day in range(n_days)}
    return diary_subject(Diary(patient="1", counts=days), "somebody")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(subject_of(N_DIARY_DAYS), tmp_path)
    yield made
    made.close()


@pytest.fixture
def twin(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> FakeTwin:
    """People who lived without stimulation for as long as the diary."""
    model = engine.plan.model
    drawn = model.draw(device=engine.plan.device, seed=1, patients=range(N_PEOPLE))
    lived = model.advance(drawn, [OFF] * N_PEOPLE, N_DIARY_DAYS)
    made = FakeTwin(people=tuple(outcome.state for outcome in lived))

    def twin_of(_subject: Subject, _engine: Engine, _tell: Callable[[float], None]) -> FakeTwin:
        return made

    monkeypatch.setattr(futures, "twin_of", twin_of)
    return made


def test_a_fan_without_stimulation_is_what_these_people_write(
    engine: Engine, twin: FakeTwin, tmp_path: Path
) -> None:
    told: list[float] = []
    fans = fans_of(
        engine, subject_of(N_DIARY_DAYS), [SHAM], N_DAYS, (), lambda share, _: told.append(share)
    )
    (fan,) = fans.fans
    counts = np.full((N_PEOPLE, N_DAYS), np.nan)
    states = twin.people
    for start in range(0, N_DAYS, 14):
        outcomes = engine.plan.model.advance(states, [OFF] * N_PEOPLE, 14)
        states = tuple(outcome.state for outcome in outcomes)
        for b, outcome in enumerate(outcomes):
            for event in outcome.events:
                if event.kind is Kind.DIARY_ENTRY:
                    counts[b, round(event.time_day) - 1 - N_DIARY_DAYS] = event.n_written
        assert states[0].day == N_DIARY_DAYS + start + 14
    rates = 28 * np.nanmean(counts.reshape(N_PEOPLE, 3, 28), axis=2)
    wanted = np.nanquantile(rates, QUANTILES, axis=0)
    found = np.stack([fan.low, fan.quarter, fan.middle, fan.three_quarters, fan.high])
    assert found == pytest.approx(wanted)
    assert fan.days.tolist() == [N_DIARY_DAYS + 28, N_DIARY_DAYS + 56, N_DIARY_DAYS + 84]
    assert (fan.low < fan.high).all()
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    assert "It taught most about the rate: 75 %" in fans.sentence
    assert fans.taught.rows == (("the rate", "0.00 ± 1.00", "0.50 ± 0.50", "75"),)
    (log,) = tmp_path.glob("audit-*.jsonl")
    assert verify(log).is_whole


def test_a_short_diary_or_future_is_refused_in_a_sentence(engine: Engine) -> None:
    def tell(_share: float, _sentence: str) -> None:
        raise AssertionError("nothing should begin")

    with pytest.raises(InputError, match="the diary has 20 recorded days: 28 or more"):
        fans_of(engine, subject_of(20), [SHAM], N_DAYS, (), tell)
    with pytest.raises(InputError, match="28 days or more"):
        fans_of(engine, subject_of(N_DIARY_DAYS), [SHAM], 7, (), tell)


def test_months_are_whole_and_missing_days_are_no_zeros() -> None:
    counts = np.ones((2, 60))
    counts[0, :14] = np.nan
    counts[1, :28] = np.nan
    days, rates = monthly(counts, 100)
    assert days.tolist() == [128, 156]
    assert rates[0].tolist() == [28, 28]
    assert np.isnan(rates[1, 0])
    assert rates[1, 1] == 28


@pytest.mark.slow
def test_a_real_twin_has_a_fan_whose_width_is_the_persons(tmp_path: Path) -> None:
    """The first month without stimulation is around the rate that was written: 9.3 in 28 days."""
    subject = subject_of(168)
    engine = Engine(subject, tmp_path)
    fans = fans_of(engine, subject, [SHAM], 56, (), lambda share, sentence: None)
    engine.close()
    (fan,) = fans.fans
    assert fan.low[0] < 28 / 3 < fan.high[0]
    assert fans.taught.rows
