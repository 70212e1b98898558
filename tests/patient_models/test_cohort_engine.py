"""The cohort engine against the event engine, the plain reference that it must equal.

Both meet the same luck, so lives are compared one by one; a count may differ only where a mark lies
within rounding of a step, which has a chance of about 1e-9 per heavy day and 1e-13 otherwise.
Comparisons in law use different seeds, and allow four standard errors or a p-value of 1e-4.
"""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import ks_2samp

from patient_models import MODELS, TARGETS, Enrolment, Kind, Purpose, event_engine, luck
from patient_models.cohort import Cohort
from patient_models.cohort_engine import Window, advance
from patient_models.distributions import Exponential, LogNormal
from patient_models.doses import doses_of
from patient_models.population import DRUG_RESISTANT, draw
from patient_models.randomness import quads
from patient_models.tensor_randomness import poisson_quantile, uniform, words
from protocols import OFF, SEVERE_GRADE, Cycle, Mode, Setting
from tests.patient_models.strategies import CLINICAL, DEVICE, GENTLE, SETTINGS, seeds
from tests.patient_models.strategies import words as addresses

SEED = 11
COURSE = Enrolment(
    implant_day=20, expectation_day=50, medication_from_day=60, attrition_from_day=70
)
STRONG = Setting(site=0, amplitude_ua=7000, frequency_hz=145, pulse_width_us=90)
DEVICES = ("cpu", pytest.param("cuda", marks=pytest.mark.gpu))
DAILY = ("seizures", "written", "is_recorded", "worst_grade", "reported_grade", "side_effect")
CARRIED_NAMES = ("high", "low", "progress", "habituated")
CARRIED = {"carried": CARRIED_NAMES, "wandering": ("slow", "drift", "phase", "fast")}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def cohort_of(patients, *, seed=SEED, population=DRUG_RESISTANT, enrolment=COURSE, compute="cpu"):
    return Cohort.enrol(
        population,
        seed=seed,
        patients=patients,
        n_sites=DEVICE.n_sites,
        enrolment=enrolment,
        compute=compute,
    )


def lived(cohort, plan, **options):
    """All epochs of a plan, one after the other: the last cohort, and lives of all days."""
    parts = []
    for settings_, days in plan:
        cohort, lives = advance(cohort, settings_, days, with_side_effects=True, **options)
        parts.append(lives)
    whole = {name: np.hstack([getattr(part, name) for part in parts]) for name in DAILY}
    if options.get("with_times"):
        names = ("row", "time_day", "is_written")
        row, time_day, is_written = (
            np.concatenate([getattr(part, name) for part in parts]) for name in names
        )
        order = np.lexsort((time_day, row))
        whole |= zip(names, (row[order], time_day[order], is_written[order]), strict=True)
    return cohort, whole


def lived_alone(state, plan):
    """The same of one patient in the event engine, on with the day after a severe side effect."""
    n_days = state.day + sum(days for _, days in plan)
    life = {name: np.zeros(n_days, np.int64) for name in DAILY}
    times = []
    names = [each.name for each in TARGETS[state.parameters.tolerance.target].side_effects]
    stop = state.day
    for setting, days in plan:
        stop += days
        while state.day < stop:
            outcome = event_engine.advance(state, setting, stop - state.day)
            state = outcome.state
            for event in outcome.events:
                day = int(event.time_day)
                if event.kind is Kind.SEIZURE:
                    times.append((event.time_day, event.is_written))
                    life["seizures"][day] += 1
                    life["written"][day] += event.is_written
                elif event.kind is Kind.ADVERSE_EVENT:
                    life["worst_grade"][day] = event.grade
                    life["reported_grade"][day] = event.grade * event.is_written
                    life["side_effect"][day] = 1 + names.index(event.side_effect)
                elif event.kind is Kind.DIARY_ENTRY:
                    life["is_recorded"][day - 1] = 1
    return state, life, times


def assert_same(mine, theirs):
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


def assert_same_values(mine, theirs):
    for field in fields(mine):
        if not is_dataclass(getattr(mine, field.name)):
            np.testing.assert_array_equal(
                getattr(mine, field.name), getattr(theirs, field.name), err_msg=field.name
            )


def assert_same_state(mine, theirs, atol=1e-12):
    assert mine.day == theirs.day
    for part, names in CARRIED.items():
        for name in names:
            first, second = (getattr(getattr(each, part), name) for each in (mine, theirs))
            np.testing.assert_allclose(first, second, rtol=0, atol=atol, err_msg=name)
    np.testing.assert_array_equal(mine.wandering.in_remission, theirs.wandering.in_remission)
    np.testing.assert_array_equal(mine.pending.row, theirs.pending.row)
    np.testing.assert_array_equal(mine.pending.is_noted, theirs.pending.is_noted)
    np.testing.assert_allclose(mine.pending.time_day, theirs.pending.time_day, rtol=0, atol=1e-9)


@pytest.mark.parametrize("compute", DEVICES)
@pytest.mark.parametrize("on", [GENTLE, STRONG])
def test_each_life_is_that_of_the_event_engine(on, compute):
    n_patients = 60
    plan = ((OFF, 75), (on, 80), (OFF, 45))
    cohort, whole = lived(cohort_of(range(n_patients), compute=compute), plan, with_times=True)
    states = CLINICAL.draw(device=DEVICE, seed=SEED, patients=range(n_patients), enrolment=COURSE)
    n_flips = 0
    pending = []
    for row, state in enumerate(states):
        last, life, times = lived_alone(state, plan)
        for name in DAILY:
            n_flips += int((life[name] != whole[name][row]).sum())
        mine = whole["row"] == row
        time_day, is_written = np.array(times).reshape(-1, 2).T
        np.testing.assert_allclose(whole["time_day"][mine], time_day, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(whole["is_written"][mine], is_written)
        for name in CARRIED_NAMES:
            expected = getattr(last.carried, name)
            assert getattr(cohort.carried, name)[row] == pytest.approx(expected, abs=1e-12)
        pending += [(row, *each) for each in last.pending]
    assert n_flips == 0  # of 48,000, each with a chance below 1e-9
    assert whole["seizures"].sum() > 5000
    assert on == GENTLE or whole["worst_grade"].max() >= SEVERE_GRADE  # and life goes on
    row, time_day, is_noted = np.array(pending).T
    np.testing.assert_array_equal(cohort.pending.row, row)
    np.testing.assert_allclose(cohort.pending.time_day, time_day, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(cohort.pending.is_noted, is_noted)


@pytest.mark.parametrize("compute", DEVICES)
def test_the_open_label_and_what_is_felt_are_those_of_the_event_engine(compute):
    # Drugs change and people leave so often, and tolerate so little, that all of it is met.
    population = replace(
        DRUG_RESISTANT,
        medication_wait_days=Exponential(mean=25),
        dropout_wait_days=Exponential(mean=80),
        tolerance_share=LogNormal(median=0.7, log_sd=0.3, lowest=0.1, highest=8),
        rescue_share=0.8,
        rescue_factor=0.3,
    )
    plan = ((OFF, 30), (GENTLE, 100), (STRONG, 20), (GENTLE, 50))
    for target in ("focus", "vagus"):
        enrolment = Enrolment(target=target, medication_from_day=20, attrition_from_day=40)
        cohort = cohort_of(range(40), population=population, enrolment=enrolment, compute=compute)
        later, whole = lived(cohort, plan)
        states = replace(CLINICAL, population=population).draw(
            device=DEVICE, seed=SEED, patients=range(40), enrolment=enrolment
        )
        for row, state in enumerate(states):
            last, life, _ = lived_alone(state, plan)
            for name in DAILY:
                np.testing.assert_array_equal(whole[name][row], life[name], err_msg=name)
            assert later.carried.habituated[row] == pytest.approx(
                last.carried.habituated, abs=1e-12
            )
        assert np.ptp(whole["worst_grade"]) == 4
        assert len(np.unique(whole["side_effect"])) == 1 + len(TARGETS[target].side_effects)
        dropout_day = cohort.parameters.diary.dropout_day
        has_left = np.arange(200) >= dropout_day[:, np.newaxis]
        assert 0.3 < has_left.mean() < 0.9
        assert not whole["is_recorded"][has_left].any()
        is_told = whole["reported_grade"] > 0
        assert (whole["reported_grade"][is_told] == whole["worst_grade"][is_told]).all()
        assert whole["reported_grade"][has_left].max() >= SEVERE_GRADE
        assert not np.isin(whole["reported_grade"][has_left], (1, 2)).any()
        assert (is_told < (whole["worst_grade"] > 0)).any()


@given(st.integers(1, 80), st.integers(1, 80))
def test_habits_of_two_epochs_are_those_of_one_long_one(first, second):
    begun, _ = advance(cohort_of(range(10)), STRONG, 3)
    both = advance(advance(begun, GENTLE, first)[0], GENTLE, second)[0]
    whole = advance(begun, GENTLE, first + second)[0]
    assert whole.carried.habituated.min() > 0
    np.testing.assert_allclose(both.carried.habituated, whole.carried.habituated, atol=1e-12)


@pytest.mark.parametrize("compute", DEVICES)
def test_levels_are_those_of_luck_to_the_last_digits(compute):
    # Patients 0 to 299 of this seed include some in remission; counts alone would not show 1e-7.
    days = np.arange(luck.BLOCK_DAYS)
    cohort = cohort_of(range(300), compute=compute)
    nothing = cohort.parameters.response.steady(doses_of((OFF,) * 300))
    window = Window(cohort, slice(0, 300), nothing, np.zeros(300), with_times=False)
    mark = quads(SEED, np.arange(300), days[:, np.newaxis], Purpose.DAY)[0]
    fast = window.memory(torch.tensor(mark, device=compute), 0)
    level, swing = (each.cpu().numpy() for each in window.level(days, fast))
    people = draw(DRUG_RESISTANT, SEED, range(300), DEVICE.n_sites, COURSE)
    n_in_remission = 0
    for patient, person in enumerate(people):
        background = person.background
        wandering = luck.wandering_of_block(SEED, patient, 0)
        n_in_remission += wandering.in_remission.any()
        expected, risk = luck.level(
            background, wandering, days, luck.memory(ndtri(mark[:, patient]))
        )
        expected = expected + np.log(background.parents_per_day)
        np.testing.assert_allclose(level[:, patient], expected, rtol=0, atol=1e-11)
        np.testing.assert_allclose(swing[:, patient] / background.risk_sd, risk, atol=1e-11)
    assert n_in_remission > 3


@pytest.mark.parametrize("compute", DEVICES)
def test_each_patient_may_have_a_setting_of_their_own(compute):
    chosen = [SETTINGS[i] for i in np.linspace(0, len(SETTINGS) - 1, 40).astype(int)]
    _, whole = lived(cohort_of(range(40), compute=compute), ((OFF, 20), (chosen, 64)))
    states = CLINICAL.draw(device=DEVICE, seed=SEED, patients=range(40), enrolment=COURSE)
    for row, (state, setting) in enumerate(zip(states, chosen, strict=True)):
        _, life, _ = lived_alone(state, ((OFF, 20), (setting, 64)))
        for name in DAILY:
            np.testing.assert_array_equal(whole[name][row], life[name])


def test_modes_that_cycle_or_respond_do_as_in_the_event_engine():
    cycle = Cycle(mode=Mode.CYCLING, on_ms=60_000, off_ms=300_000)
    cycling = replace(GENTLE, mode=cycle.mode, on_ms=cycle.on_ms, off_ms=cycle.off_ms)
    _, whole = lived(cohort_of(range(20)), ((cycling, 90),))
    states = CLINICAL.draw(device=DEVICE, seed=SEED, patients=range(20), enrolment=COURSE)
    for row, state in enumerate(states):
        np.testing.assert_array_equal(
            whole["seizures"][row], lived_alone(state, ((cycling, 90),))[1]["seizures"]
        )


def test_far_from_enrolment_lives_are_still_the_same():
    # The event engine begins day-to-day memory anew in each block, 20 days before; 4e-18 is left.
    plan = ((GENTLE, 500), (OFF, 300))
    _, whole = lived(cohort_of(range(3)), plan)
    states = CLINICAL.draw(device=DEVICE, seed=SEED, patients=range(3), enrolment=COURSE)
    for row, state in enumerate(states):
        _, life, _ = lived_alone(state, plan)
        for name in DAILY:
            np.testing.assert_array_equal(whole[name][row], life[name])


@pytest.mark.parametrize("compute", DEVICES)
def test_nothing_depends_on_who_else_is_there_or_in_what_order(compute):
    plan = ((OFF, 70), (GENTLE, 61))
    patients = np.random.default_rng(0).permutation(300)
    together, whole = lived(cohort_of(range(300), compute=compute), plan, with_times=True)
    _, mixed = lived(cohort_of(patients.tolist(), compute=compute), plan)
    assert_same(mixed, {name: whole[name][patients] for name in DAILY})
    for size in (1, 7):
        some, few = lived(cohort_of(range(size), compute=compute), plan, with_times=True)
        is_mine = whole["row"] < size
        assert_same({name: few.pop(name) for name in DAILY}, {n: whole[n][:size] for n in DAILY})
        assert_same(few, {name: whole[name][is_mine] for name in few})
        is_mine = together.pending.row < size
        np.testing.assert_array_equal(some.pending.time_day, together.pending.time_day[is_mine])


@pytest.mark.parametrize("compute", DEVICES)
def test_nothing_depends_on_how_the_work_is_cut(compute, monkeypatch):
    plan = ((OFF, 70), (STRONG, 100))
    cohort, whole = lived(cohort_of(range(200), compute=compute), plan, with_times=True)
    for days, cells, n_parents in ((1 << 20, 1 << 30, 1 << 30), (7, 200, 1000), (10, 5000, 500)):
        monkeypatch.setattr("patient_models.cohort_engine.CHUNK_DAYS", days)
        monkeypatch.setitem(advance.__globals__["CHUNK_CELLS"], compute, cells)
        monkeypatch.setitem(advance.__globals__["CHUNK_PARENTS"], compute, n_parents)
        again, cut = lived(cohort_of(range(200), compute=compute), plan, with_times=True)
        assert_same(cut, whole)
        assert_same_state(again, cohort)


def test_nothing_depends_on_the_number_of_threads(monkeypatch):
    plan = ((OFF, 20), (GENTLE, 20))
    cohort, whole = lived(cohort_of(range(100)), plan, with_times=True)
    monkeypatch.setitem(advance.__globals__["CHUNK_CELLS"], "cpu", 200)
    try:
        torch.set_num_threads(3)
        again, shared = lived(cohort_of(range(100)), plan, with_times=True)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)
    assert_same(shared, whole)
    assert_same_state(again, cohort)


@given(st.integers(1, 80), st.integers(1, 80), st.sampled_from([OFF, GENTLE, STRONG]))
def test_two_advances_are_one_long_one_even_within_a_week(first, second, setting):
    begun, _ = advance(cohort_of(range(10)), GENTLE, 3)
    long, whole = lived(begun, ((setting, first + second),), with_times=True)
    short, parts = lived(begun, ((setting, first), (setting, second)), with_times=True)
    assert_same(parts, whole)
    assert_same_state(short, long)


def test_a_saved_cohort_goes_on_as_if_nothing_had_been(tmp_path):
    for enrolment in (None, COURSE):
        cohort, _ = advance(cohort_of(range(30), enrolment=enrolment), GENTLE, 45)
        assert len(cohort.pending.row)
        np.savez(tmp_path / "cohort.npz", **cohort.to_dict())
        with np.load(tmp_path / "cohort.npz") as saved:
            resumed = Cohort.from_dict(saved)
        again = Cohort.from_dict(cohort.to_dict())
        for other in (resumed, again):
            _, mine = lived(cohort, ((STRONG, 40), (OFF, 10)), with_times=True)
            _, theirs = lived(other, ((STRONG, 40), (OFF, 10)), with_times=True)
            assert_same(mine, theirs)
            assert other.parameters.course.implant_day == cohort.parameters.course.implant_day
            for part in ("course", "diary", "tolerance", "background"):
                assert_same_values(
                    getattr(cohort.parameters, part), getattr(other.parameters, part)
                )


def test_nobody_lives_an_empty_life():
    later, lives = advance(cohort_of([]), GENTLE, 5, with_times=True)
    assert later.day == 5
    assert lives.seizures.shape == lives.worst_grade.shape == (0, 5)
    assert len(lives.time_day) == len(later.pending.row) == 0
    assert len(advance(later, OFF, 2)[1].seizures) == 0


@pytest.mark.parametrize("compute", DEVICES)
def test_masses_live_alike_in_both_engines_and_survive_saving(compute, tmp_path):
    family = MODELS["mechanistic"]
    columns = family.draw_columns(
        seed=SEED, patients=range(40), n_sites=DEVICE.n_sites, enrolment=COURSE
    )
    cohort = Cohort.begin(columns, seed=SEED, patients=range(40), compute=compute)
    np.savez(tmp_path / "cohort.npz", **cohort.to_dict())
    with np.load(tmp_path / "cohort.npz") as saved:
        cohort = Cohort.from_dict(saved)
    plan = ((OFF, 30), (STRONG, 90))
    _, whole = lived(cohort, plan)
    states = family.draw(device=DEVICE, seed=SEED, patients=range(40), enrolment=COURSE)
    assert len({state.parameters.response.mass for state in states}) > 1
    for row, state in enumerate(states):
        _, life, _ = lived_alone(state, plan)
        for name in DAILY:
            np.testing.assert_array_equal(whole[name][row], life[name], err_msg=name)
    _, usual = lived(cohort_of(range(40)), plan)
    assert (whole["seizures"] != usual["seizures"]).any()  # a mass is another response


def test_a_seed_of_64_bits_is_kept(tmp_path):
    cohort = cohort_of(range(2), seed=2**64 - 1)
    np.savez(tmp_path / "cohort.npz", **cohort.to_dict())
    with np.load(tmp_path / "cohort.npz") as saved:
        assert Cohort.from_dict(saved).seed == 2**64 - 1


def test_the_truth_about_a_day_is_whole():
    lives = advance(cohort_of(range(200)), STRONG, 100, with_times=True)[1]
    by_day = np.zeros((200, 100), np.int64)
    np.add.at(by_day, (lives.row, lives.time_day.astype(int)), 1)
    np.testing.assert_array_equal(by_day, lives.seizures)
    by_day[:] = 0
    at = lives.is_written
    np.add.at(by_day, (lives.row[at], lives.time_day[at].astype(int)), 1)
    np.testing.assert_array_equal(by_day, lives.written)
    assert not lives.written[~lives.is_recorded].any()
    assert (lives.written <= lives.seizures).all()
    assert np.lexsort((lives.time_day, lives.row)).tolist() == list(range(len(lives.row)))
    assert (lives.worst_grade[:, :-1] >= SEVERE_GRADE).any()  # and the days after it are lived
    assert lives.seizures.dtype == lives.written.dtype == np.uint16
    assert advance(cohort_of(range(2)), OFF, 3)[1].time_day is None


def test_what_is_asked_for_is_checked():
    cohort = cohort_of(range(3))
    with pytest.raises(ValueError, match="days = 0"):
        advance(cohort, OFF, 0)
    with pytest.raises(ValueError, match="2 settings"):
        advance(cohort, [OFF, GENTLE], 1)
    with pytest.raises(ValueError, match="compute = 'tpu'"):
        replace(cohort, compute="tpu")
    with pytest.raises(ValueError, match="patient = "):
        cohort_of([2**32])


@pytest.mark.parametrize("compute", DEVICES)
@given(seed=seeds, patient=addresses, time=addresses, draw=addresses)
def test_words_are_those_of_the_plain_generator(compute, seed, patient, time, draw):
    marks = words(
        seed,
        torch.tensor([patient, 1, 2**32 - 1], device=compute),
        torch.tensor([[time], [2**32 - 1]], device=compute),
        Purpose.DAY,
        torch.tensor([draw], device=compute),
    )
    expected = quads(seed, [patient, 1, 2**32 - 1], [[time], [2**32 - 1]], Purpose.DAY, draw)
    for mine, theirs in zip(marks, expected, strict=True):
        np.testing.assert_array_equal(uniform(mine).cpu(), theirs)


@pytest.mark.parametrize("compute", DEVICES)
def test_poisson_quantiles_are_those_of_luck(compute):
    rng = np.random.default_rng(3)
    n = 100_000
    mark = (rng.integers(0, 2**32, n) + 0.5) * 2.0**-32
    tail = (np.floor(2.0 ** rng.uniform(0, 32, n)) + 0.5) * 2.0**-32
    mark[: n // 2] = np.where(rng.random(n // 2) < 0.5, tail[: n // 2], 1 - tail[: n // 2])
    mean = np.exp(rng.uniform(np.log(1e-6), np.log(600), n))
    mean[:3] = 0.0, 600.0, 24.0
    mine = poisson_quantile(torch.tensor(mark, device=compute), torch.tensor(mean, device=compute))
    # Torch's incomplete gamma is good to 4e-10: of 100,000 marks 4e-5 may lie that near a step.
    theirs = np.concatenate(
        [luck.poisson_quantile(mark[i : i + 1000], mean[i : i + 1000]) for i in range(0, n, 1000)]
    )
    np.testing.assert_array_equal(mine.cpu().numpy(), theirs)


N_IN_LAW = 2000


def features(counts, recorded, row, time_day):
    """What describes the life of each patient, given days x patients and times: B numbers each."""
    n_patients, n_days = counts.shape
    half = n_days // 2
    gaps = np.diff(time_day)
    is_near = (np.diff(row) == 0) & (gaps < 0.25)
    first = np.full(n_patients, float(n_days))
    np.minimum.at(first, row, time_day)
    near = np.bincount(row[1:][is_near], minlength=n_patients)
    is_rare = counts.sum(axis=1) <= n_days / 2  # elsewhere chance alone brings seizures together
    early, late = counts[:, :half].sum(axis=1), counts[:, half + 5 :].sum(axis=1)
    return {
        "total": counts.sum(axis=1),
        "recorded days": recorded.sum(axis=1),
        "days with none": (counts == 0).mean(axis=1),
        "days with one": (counts == 1).mean(axis=1),
        "days with two": (counts == 2).mean(axis=1),
        "days with many": (counts > 5).mean(axis=1),
        "near the one before": near,
        "in a chain": np.where(is_rare, near / np.maximum(counts.sum(axis=1), 1), 0.0),
        "both days": (np.sign(counts[:, 1:]) * np.sign(counts[:, :-1])).mean(axis=1),
        "like the day before": np.mean(np.log1p(counts[:, 1:]) * np.log1p(counts[:, :-1]), axis=1),
        "first": first,
        "change": np.log1p(late) - np.log1p(early),
        "time of day": np.bincount(row, np.cos(2 * np.pi * time_day), n_patients),
    }


@pytest.mark.parametrize("n_days", [60, pytest.param(365, marks=pytest.mark.slow)])
def test_both_engines_follow_one_law_with_different_luck(n_days):
    # Patients are independent: 13 comparisons of means within 4 standard errors (p = 6e-5), and 13
    # Kolmogorov-Smirnov tests, conservative with ties, at 1e-4.
    plan = ((OFF, n_days // 2), (GENTLE, n_days - n_days // 2))
    enrolment = Enrolment(implant_day=n_days // 2)
    _, whole = lived(cohort_of(range(N_IN_LAW), enrolment=enrolment), plan, with_times=True)
    lives, times = [], []
    for state in CLINICAL.draw(
        device=DEVICE, seed=SEED + 1, patients=range(N_IN_LAW), enrolment=enrolment
    ):
        _, life, events = lived_alone(state, plan)
        lives.append(life)
        times.append([time_day for time_day, _ in events])
    mine = features(
        whole["seizures"].astype(int), whole["is_recorded"], whole["row"], whole["time_day"]
    )
    theirs = features(
        np.array([life["seizures"] for life in lives]),
        np.array([life["is_recorded"] for life in lives]),
        np.repeat(np.arange(N_IN_LAW), [len(each) for each in times]),
        np.concatenate(times),
    )
    for name, values in mine.items():
        others = theirs[name]
        error = np.sqrt((values.var(ddof=1) + others.var(ddof=1)) / N_IN_LAW)
        assert abs(values.mean() - others.mean()) < 4 * error, name
        assert ks_2samp(values, others).pvalue > 1e-4, name


def test_the_law_test_would_notice_a_change_of_law():
    # The features of people whose rates are a quarter higher, of whose seizures half as many are
    # followed by another, or who are left off, differ beyond the tolerance above.
    plan = ((OFF, 30), (GENTLE, 30))
    _, whole = lived(cohort_of(range(N_IN_LAW)), plan, with_times=True)
    usual = features(
        whole["seizures"].astype(int), whole["is_recorded"], whole["row"], whole["time_day"]
    )
    cohort = cohort_of(range(N_IN_LAW), seed=SEED + 1)
    background = cohort.parameters.background
    for name, changed, epochs in (
        ("days with none", {"base_rate_per_day": 1.25 * background.base_rate_per_day}, plan),
        ("in a chain", {"chain_probability": background.chain_probability / 2}, plan),
        ("change", {}, ((OFF, 60),)),
    ):
        parameters = replace(cohort.parameters, background=replace(background, **changed))
        _, whole = lived(replace(cohort, parameters=parameters), epochs, with_times=True)
        other = features(
            whole["seizures"].astype(int), whole["is_recorded"], whole["row"], whole["time_day"]
        )[name]
        error = np.sqrt((usual[name].var(ddof=1) + other.var(ddof=1)) / N_IN_LAW)
        is_off = abs(usual[name].mean() - other.mean()) > 4 * error
        assert is_off or ks_2samp(usual[name], other).pvalue < 1e-4, name
