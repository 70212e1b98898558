"""Hostile but mostly well-formed sequences of proposals, and the judge of what came out of them.

An attack sees what runs, the envelope and all its own earlier proposals, and looks for a way past
the limits over time: steps one unit below a window, other sites, replays, clocks that jump, stops
and restarts, midnight. Each is one function; an attacker goes from one to the next.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from protocols import OFF, Mode, Proposal, Setting
from safety import (
    Envelope,
    Past,
    Person,
    Role,
    Rule,
    Ruling,
    Verdict,
    acknowledge,
    after_adverse_event,
    after_restart,
    envelope_text,
    parse_envelope,
    review,
)
from tests.safety.oracle import DayOracle, Oracle, RiseOracle
from tests.safety.strategies import DAY, NOT_INTEGERS, overwritten

WILD = list(NOT_INTEGERS.values())
INTEGERS = ("site", "amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms", "off_ms")
UNMOVED = ("site", "frequency_hz", "off_ms", "mode")
LOWERED = ("amplitude_ua", "pulse_width_us", "on_ms")
LONGEST_ATTACK = 40
PEOPLE = (Person("Anne", Role.CLINICIAN), Person("Bert", Role.SAFETY_OFFICER))
EXPECTED_LATCHES = (Rule.BASELINE, Rule.FALLBACK, Rule.ADVERSE_EVENT)
"""Any other latch is a defect of the gate."""


@dataclass(slots=True)
class Attacker:
    """What an attack knows, and the clock it has brought the patient to."""

    luck: Random
    envelope: Envelope
    past: Past
    clock: int = 0
    target: Setting = OFF
    sent: list[Proposal] = field(default_factory=list)

    def wait(self, seconds: int) -> None:
        """Let time pass, or turn the clock back."""
        self.clock = max(0, self.clock + seconds)

    def proposal(self, setting: object, **changes: object) -> Proposal:
        """Return a proposal that is addressed rightly but for `changes`."""
        address = {
            "patient": self.past.patient,
            "sequence": self.past.sequence + 1,
            "at_s": self.clock,
            "envelope_hash": self.envelope.hash,
            "setting": setting,
        }
        made = Proposal(**(address | changes))
        self.sent.append(made)
        return made

    def runs_or_any(self) -> Setting:
        """Return what runs, or something to begin with."""
        return any_ticks(self) if self.past.delivered.is_off else self.past.delivered


Attack = Callable[[Attacker], object]


def any_ticks(by: Attacker) -> Setting:
    """Return a combination of ticks, legal or not."""
    luck, envelope = by.luck, by.envelope
    mode = luck.choice(envelope.modes)
    is_cyclic = mode is not Mode.CONTINUOUS
    return Setting(
        site=luck.choice(envelope.sites),
        amplitude_ua=luck.choice(envelope.amplitude_ua),
        frequency_hz=luck.choice(envelope.frequency_hz),
        pulse_width_us=luck.choice(envelope.pulse_width_us),
        on_ms=luck.choice(envelope.on_ms) if is_cyclic else 0,
        off_ms=luck.choice(envelope.off_ms) if is_cyclic else 0,
        mode=mode,
    )


def next_tick(by: Attacker, setting: Setting, name: str, n: int = 1) -> Setting:
    """Return `setting` with one field `n` ticks higher, or lower, as far as there are ticks."""
    ticks = getattr(by.envelope, name)
    value = getattr(setting, name)
    if value not in ticks:
        return setting
    place = min(max(ticks.index(value) + n, 0), len(ticks) - 1)
    return replace(setting, **{name: ticks[place]})


def near_charge(by: Attacker, setting: Setting) -> Setting:
    """Return `setting` with an amplitude beside that at which the charge of a contact binds."""
    load = by.envelope.binding_charge[setting.site]
    limit_ua = 1000 * load.max_charge_pc // (load.share_permille * setting.pulse_width_us)
    return replace(setting, amplitude_ua=max(0, limit_ua + by.luck.randint(-2, 120)))


def storm(by: Attacker) -> object:
    """Anything at any time: near a limit or what runs, off the grid, or junk."""
    by.wait(by.luck.choice((0, 1, 60, 3600, DAY - 1, DAY, 10_000_000)))
    kind, wish = by.luck.randrange(6), any_ticks(by)
    if kind == 0:
        return by.proposal(overwritten(wish, **{by.luck.choice(INTEGERS): by.luck.choice(WILD)}))
    if kind == 1:
        return by.proposal(
            overwritten(wish, **{by.luck.choice(INTEGERS): by.luck.randrange(100_000)})
        )
    if kind == 2:
        return by.proposal(near_charge(by, wish))
    return by.proposal(wish)


def creep(by: Attacker) -> object:
    """Rise by a tick again and again, one second inside, at, or past the window."""
    by.wait(by.luck.choice((1, by.envelope.rise_window_s + by.luck.choice((-1, 0, 1)))))
    name = by.luck.choice(("amplitude_ua", "amplitude_ua", "frequency_hz", "on_ms"))
    return by.proposal(next_tick(by, by.runs_or_any(), name))


def everything(by: Attacker) -> object:
    """Ask for the highest amplitude and frequency at once, over and over."""
    by.wait(by.luck.choice((0, 1, by.envelope.rise_window_s // 3, by.envelope.rise_window_s)))
    highest = {name: getattr(by.envelope, name)[-1] for name in ("amplitude_ua", "frequency_hz")}
    return by.proposal(replace(by.runs_or_any(), **highest))


def alternate_sites(by: Attacker) -> object:
    """Go from one site, or pulse width, to another and back, as high as it goes."""
    by.wait(by.luck.choice((1, 60, DAY // 2)))
    name = by.luck.choice(("site", "pulse_width_us"))
    ticks = by.envelope.sites if name == "site" else by.envelope.pulse_width_us
    moved = replace(by.runs_or_any(), **{name: by.luck.choice(ticks)})
    return by.proposal(next_tick(by, moved, "amplitude_ua", by.luck.randint(-3, 5)))


def stop_and_start(by: Attacker) -> object:
    """Stop and go back to what ran, as often as possible."""
    by.wait(by.luck.choice((0, 1, 60, 3600)))
    if by.past.delivered.is_off:
        return by.proposal(near_charge(by, by.target) if by.target.amplitude_ua else any_ticks(by))
    by.target = by.past.delivered
    return by.proposal(OFF)


def sawtooth(by: Attacker) -> object:
    """Fall and rise again, as if a fall earned the right to another rise."""
    by.wait(by.luck.choice((0, 1, 60)))
    name = by.luck.choice(("amplitude_ua", "frequency_hz", "on_ms"))
    return by.proposal(next_tick(by, by.runs_or_any(), name, by.luck.choice((-4, -1, 1, 4))))


def replay(by: Attacker) -> object:
    """Send an old proposal again, as it was or with another number."""
    by.wait(by.luck.choice((0, 1, 59, 60, 61)))
    if not by.sent:
        return by.proposal(any_ticks(by))
    old = by.luck.choice(by.sent[-LONGEST_ATTACK:])
    return by.luck.choice((old, replace(old, sequence=by.past.sequence + 1)))


def time_travel(by: Attacker) -> object:
    """Turn the clock back, let it jump, or date a proposal ahead."""
    by.wait(by.luck.choice((-10 * DAY, -DAY, -1, 0, 1, 61, 400 * DAY)))
    at_s = by.clock + by.luck.choice((-61, -60, 0, 0, 1, DAY))
    return by.proposal(next_tick(by, by.runs_or_any(), "amplitude_ua", 2), at_s=at_s)


def midnight(by: Attacker) -> object:
    """Rise one second before, at, and after midnight."""
    to_midnight = DAY - by.clock % DAY
    by.wait(by.luck.choice((to_midnight - 1, to_midnight, to_midnight + 1)) % DAY)
    return by.proposal(next_tick(by, by.runs_or_any(), "amplitude_ua", by.luck.choice((1, 8))))


def misaddress(by: Attacker) -> object:
    """Address a proposal to another patient, envelope or number, or send no proposal at all."""
    by.wait(by.luck.choice((0, 1, DAY)))
    changes = by.luck.choice(
        (
            {"patient": by.past.patient + 1},
            {"patient": by.luck.choice(WILD)},
            {"sequence": by.past.sequence},
            {"sequence": by.luck.choice(WILD)},
            {"envelope_hash": "0" * 64},
            {"envelope_hash": by.luck.choice(WILD)},
            {"at_s": by.luck.choice(WILD)},
            {"setting": by.luck.choice(WILD)},
        )
    )
    if by.luck.random() < 0.1:
        return by.luck.choice(WILD)
    return by.proposal(changes.pop("setting", any_ticks(by)), **changes)


def spend(by: Attacker) -> object:
    """Use up what may rise to the last unit, then try the least rise there is."""
    by.wait(by.luck.choice((0, 0, 1)))
    if by.luck.random() < 0.5:
        return by.proposal(near_charge(by, by.runs_or_any()))
    return by.proposal(next_tick(by, by.runs_or_any(), "amplitude_ua", by.luck.choice((1, 30))))


ATTACKS: tuple[Attack, ...] = (
    storm,
    creep,
    everything,
    alternate_sites,
    stop_and_start,
    sawtooth,
    replay,
    time_travel,
    midnight,
    misaddress,
    spend,
)


class Judge:
    """Says what of a verdict is wrong, by the oracle and by what was asked alone."""

    def __init__(self, oracle: Oracle, envelope_hash: str) -> None:
        self.oracle = oracle
        self.envelope_hash = envelope_hash
        self.rises = RiseOracle(oracle)
        self.days = DayOracle(oracle)
        self.latest_s = 0

    def fault(self, asked: object, past: Past, verdict: Verdict, now: int) -> str | None:
        """Return a word for what is wrong with a verdict, None where nothing is."""
        self.latest_s = max(self.latest_s, now)  # a clock that goes back earns nothing
        delivered, running = verdict.delivered, past.delivered
        if not self.oracle.is_legal(delivered):
            return "illegal"
        if not self.rises.deliver(self.latest_s, running, delivered):
            return "rise"
        self.days.deliver(self.latest_s, running)  # which a restart may have ended
        self.days.deliver(self.latest_s, delivered)
        if self.rises.rose and not self.days.is_kept(self.latest_s):
            return "day"
        if delivered not in (OFF, running) and not is_no_more(delivered, asked):
            return "more than was asked"
        if bool(verdict.findings) is (verdict.ruling is Ruling.ACCEPTED):
            return "finding"
        if verdict.past.delivered != delivered or verdict.past.patient != past.patient:
            return "past"
        return self.address_fault(asked, past, verdict, now)

    def address_fault(self, asked: object, past: Past, verdict: Verdict, now: int) -> str | None:
        """Return what is wrong with how a misaddressed proposal, or a stop, was treated."""
        if type(asked) is not Proposal:
            return None
        is_ours = type(asked.patient) is int and asked.patient == past.patient
        if is_ours and is_stop(asked.setting) and verdict.delivered != OFF:
            return "a stop was refused"
        is_fresh = (
            is_ours
            and type(asked.sequence) is int
            and past.sequence < asked.sequence < 2**63
            and type(asked.at_s) is int
            and 0 <= now - asked.at_s <= 60
            and type(asked.envelope_hash) is str
            and asked.envelope_hash == self.envelope_hash
        )
        if not is_fresh and verdict.delivered not in (OFF, past.delivered):
            return "a misaddressed proposal was followed"
        return None


def is_stop(setting: object) -> bool:
    """Whether a wish is without current."""
    if type(setting) is not Setting:
        return False
    return type(setting.amplitude_ua) is int and setting.amplitude_ua == 0


def is_no_more(delivered: Setting, asked: object) -> bool:
    """Whether what is delivered is what was asked for, but for what may be lowered."""
    wish = asked.setting if type(asked) is Proposal else None
    if type(wish) is not Setting:
        return False
    return all(getattr(delivered, name) == getattr(wish, name) for name in UNMOVED) and all(
        getattr(delivered, name) <= getattr(wish, name) for name in LOWERED
    )


def attack(
    name: str,
    n_proposals: int,
    seed: int,
    gate: Callable[..., Verdict] = review,
    n_per_patient: int = 200,
    text: str | None = None,
) -> dict[Ruling, int]:
    """Attack patients under a shipped envelope, or `text`; return how often each ruling came out.

    Raises `AssertionError` naming the fault, the attack and the proposal.
    """
    text = envelope_text(name) if text is None else text
    envelope = parse_envelope(text, name)
    luck, oracle = Random(seed), Oracle(text)
    rulings = dict.fromkeys(Ruling, 0)
    for patient in range(-(-n_proposals // n_per_patient)):
        judge = Judge(oracle, envelope.hash)
        by = Attacker(luck, envelope, Past.start(patient))
        kind, n_left = storm, 0
        for _ in range(n_per_patient):
            if not n_left:
                kind, n_left = luck.choice(ATTACKS), luck.randint(1, LONGEST_ATTACK)
            asked = kind(by)
            verdict = gate(asked, by.past, envelope, by.clock)
            fault = judge.fault(asked, by.past, verdict, by.clock)
            assert fault is None, (fault, kind.__name__, asked, by.past, verdict)
            assert all(each.rule in EXPECTED_LATCHES for each in verdict.past.latches), verdict
            rulings[verdict.ruling] += 1
            by.past = happened(by, verdict.past)
            n_left -= 1
    return rulings


def happened(by: Attacker, past: Past) -> Past:
    """Return the past after what may happen between two reviews: events, restarts, releases."""
    kind = by.luck.randrange(200)
    if kind == 0:
        past = after_restart(past, by.clock)
    elif kind == 1:
        grade = by.luck.randint(1, 4)
        past = after_adverse_event(
            past, by.envelope, at_s=by.clock, grade=grade, setting=past.delivered
        )
    if past.latches and by.luck.random() < 0.5:
        past = acknowledge(past, past.latches[0], PEOPLE, by.clock)
    return past
