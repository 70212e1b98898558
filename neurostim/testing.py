"""What every family of patients must keep, callable by whoever writes another one.

from neurostim.testing import check_patient_model

check_patient_model(MyFamily())
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from patient_models import Device, Model, Outcome, State
from protocols import OFF, Observation, Setting, Telemetry
from safety import deliverable, envelope_text, load_envelope

ENVELOPE = "research"
PATIENTS = tuple(range(8))
N_SETTINGS = 24
EPOCH_DAYS = 14
MAX_RATE_PER_DAY = 500.0
"""No patient has more seizures than this; a larger rate is a mistake in units."""


class ConformanceError(AssertionError):
    """A family breaks a promise; `check` is the name of the check that found out."""

    def __init__(self, check: str, sentence: str) -> None:
        super().__init__(f"{check}: {sentence}")
        self.check = check


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A family on the bench, with a device, a few patients and a spread of deliverable settings."""

    model: Model
    device: Device
    seed: int
    settings: tuple[Setting, ...]

    def draw(self, patients: Sequence[int] = PATIENTS) -> tuple[State, ...]:
        """Patients on day 0."""
        return tuple(self.model.draw(device=self.device, seed=self.seed, patients=list(patients)))

    def chosen(self) -> list[Setting]:
        """One setting for each patient, all different, off among them."""
        step = len(self.settings) // len(PATIENTS)
        return [OFF, *self.settings[step::step]][: len(PATIENTS)]

    def live(self, states: Sequence[State], n_epochs: int = 3) -> list[tuple[Outcome, ...]]:
        """Some epochs in a row, each patient at their setting."""
        lived = []
        for _ in range(n_epochs):
            outcomes = tuple(self.model.advance(states, self.chosen(), EPOCH_DAYS))
            states = [outcome.state for outcome in outcomes]
            lived.append(outcomes)
        return lived


Check = Callable[[Bench], str | None]
"""Returns a sentence on what is wrong, or None."""


def check_patient_model(model: Model, *, seed: int = 1) -> list[str]:
    """Run every check on a family; returns their names, in the order they passed.

    Raises `ConformanceError`, which names the check and says what was found. A family that raises
    an exception of its own fails the check that was running.
    """
    bench = make_bench(model, seed)
    for name, check in CHECKS.items():
        try:
            sentence = check(bench)
        except Exception as error:
            raise ConformanceError(name, f"{type(error).__name__}: {error}") from error
        if sentence:
            raise ConformanceError(name, sentence)
    return list(CHECKS)


def make_bench(model: Model, seed: int) -> Bench:
    """The research device, and settings spread evenly over what it may deliver."""
    envelope = load_envelope(ENVELOPE)
    grid = (
        Setting(site=site, amplitude_ua=ua, frequency_hz=hz, pulse_width_us=us)
        for site in envelope.sites
        for ua in envelope.amplitude_ua
        for hz in envelope.frequency_hz
        for us in envelope.pulse_width_us
    )
    legal = deliverable(grid, envelope)
    spread = legal[:: len(legal) // N_SETTINGS]
    device = Device.from_toml(envelope_text(ENVELOPE))
    return Bench(model=model, device=device, seed=seed, settings=tuple(spread))


def same_in_any_batch(bench: Bench) -> str | None:
    """A patient's life does not depend on who else is drawn or advanced, nor in which order."""
    together = bench.live(bench.draw())
    chosen = bench.chosen()
    for patient in reversed(PATIENTS):
        [state] = bench.draw([patient])
        for outcomes in together:
            [alone] = bench.model.advance([state], [chosen[patient]], EPOCH_DAYS)
            if alone != outcomes[patient]:
                return f"patient {patient} lives otherwise alone than in a batch of {len(PATIENTS)}"
            state = alone.state
    return None


def advances_without_side_effects(bench: Bench) -> str | None:
    """The same state and setting give the same outcome, whatever was advanced in between."""
    states = bench.draw()
    first = bench.model.advance(states, bench.chosen(), EPOCH_DAYS)
    bench.live(bench.draw([p + 100 for p in PATIENTS]))
    again = bench.model.advance(states, bench.chosen(), EPOCH_DAYS)
    return None if tuple(first) == tuple(again) else "advancing twice from one state differs"


def leaves_shared_randomness_alone(bench: Bench) -> str | None:
    """No global generator is used, so nobody's luck depends on what ran before."""
    python, numpy = random.getstate(), np.random.get_state(legacy=False)["state"]
    bench.live(bench.draw())
    if random.getstate() != python:
        return "it consumes Python's shared generator"
    after = np.random.get_state(legacy=False)["state"]
    is_same = after["pos"] == numpy["pos"] and np.array_equal(after["key"], numpy["key"])
    return None if is_same else "it consumes NumPy's shared generator"


def seeds_differ(bench: Bench) -> str | None:
    """Another seed is another patient."""
    other = replace(bench, seed=bench.seed + 1)
    is_same = [a == b for a, b in zip(bench.draw(), other.draw(), strict=True)]
    return "two seeds draw the same patients" if all(is_same) else None


def observations_hold_no_truth(bench: Bench) -> str | None:
    """What is seen is exactly an `Observation`, and never more than what happened."""
    for outcomes in bench.live(bench.draw()):
        for outcome in outcomes:
            seen = outcome.observation
            if type(seen) is not Observation or type(seen.telemetry) is not Telemetry:
                return f"an observation is a {type(seen).__name__}: exactly Observation is allowed"
            for value in (seen, seen.telemetry):
                for field in fields(value):
                    found = getattr(value, field.name)
                    if type(found) not in PLAIN:
                        return f"{field.name} is a {type(found).__name__}, not a plain number"
            if (seen.n_seizures or 0) > outcome.n_seizures:
                return "more seizures were written down than happened"
    return None


PLAIN = (int, type(None), Setting, Telemetry)


def time_passes_as_observed(bench: Bench) -> str | None:
    """Epochs follow each other without gaps and end early only."""
    states = bench.draw()
    if any(state.day for state in states):
        return "a patient is drawn on another day than 0"
    days = dict.fromkeys(PATIENTS, 0)
    for outcomes in bench.live(states):
        for outcome in outcomes:
            seen, patient = outcome.observation, outcome.state.patient
            if seen.start_day != days[patient] or not 1 <= seen.days <= EPOCH_DAYS:
                return f"an epoch of day {seen.start_day} lasts {seen.days} of {EPOCH_DAYS} days"
            days[patient] += seen.days
            if outcome.state.day != days[patient]:
                return f"the state says day {outcome.state.day}, the diary {days[patient]}"
    return None


def rates_are_rates(bench: Bench) -> str | None:
    """True rates are finite and above 0, and off changes nothing in the long run."""
    for state in bench.draw():
        rate = bench.model.rate_off(state)
        if not 0 < rate <= MAX_RATE_PER_DAY:
            return f"the rate when off is {rate} a day"
        multipliers = np.asarray(bench.model.log_multipliers(state, (OFF, *bench.settings)))
        if multipliers.shape != (1 + len(bench.settings),):
            return f"log multipliers have shape {multipliers.shape}"
        if not np.isfinite(multipliers).all():
            return "a log multiplier is not finite"
        if multipliers[0] != 0:
            return f"off has a log multiplier of {multipliers[0]}"
    return None


def unsafe_settings_are_told_apart(bench: Bench) -> str | None:
    """Each setting is unsafe or not, and off is not."""
    for state in bench.draw():
        unsafe = np.asarray(bench.model.is_unsafe(state, (OFF, *bench.settings)))
        if unsafe.dtype != np.bool_ or unsafe.shape != (1 + len(bench.settings),):
            return f"unsafe is {unsafe.dtype} of shape {unsafe.shape}, not one bool a setting"
        if unsafe[0]:
            return "off is called unsafe"
    return None


def the_device_refuses_what_it_must(bench: Bench) -> str | None:
    """A setting outside the envelope is not delivered and counts as an incident; others do not."""
    [state] = bench.draw([0])
    illegal = replace(bench.settings[-1], site=250)
    [refused] = bench.model.advance([state], [illegal], EPOCH_DAYS)
    telemetry = refused.observation.telemetry
    if telemetry.n_incidents != 1 or not telemetry.setting.is_off:
        return f"an illegal setting ran as {telemetry.setting}, incidents {telemetry.n_incidents}"
    for outcomes in bench.live(bench.draw()):
        if any(outcome.observation.telemetry.n_incidents for outcome in outcomes):
            return "a legal setting counts as an incident"
    return None


def arms_share_luck(bench: Bench) -> str | None:
    """Two arms that deliver the same settings live the same life, seizure by seizure."""
    states = bench.draw()
    left = bench.live(states)
    right = bench.live(states)
    return None if left == right else "two arms with the same settings differ"


def what_happens_varies(bench: Bench) -> str | None:
    """Patients differ from each other, and seizures happen."""
    outcomes = [outcome for outcomes in bench.live(bench.draw()) for outcome in outcomes]
    if not sum(outcome.n_seizures for outcome in outcomes):
        return f"{len(PATIENTS)} patients have no seizure in {3 * EPOCH_DAYS} days"
    rates = {bench.model.rate_off(state) for state in bench.draw()}
    return None if len(rates) > 1 else "all patients have the same rate"


CHECKS: dict[str, Check] = {
    "same in any batch": same_in_any_batch,
    "advances without side effects": advances_without_side_effects,
    "leaves shared randomness alone": leaves_shared_randomness_alone,
    "arms share luck": arms_share_luck,
    "seeds differ": seeds_differ,
    "observations hold no truth": observations_hold_no_truth,
    "time passes as observed": time_passes_as_observed,
    "rates are rates": rates_are_rates,
    "unsafe settings are told apart": unsafe_settings_are_told_apart,
    "the device refuses what it must": the_device_refuses_what_it_must,
    "what happens varies": what_happens_varies,
}
