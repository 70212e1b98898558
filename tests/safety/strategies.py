"""Every Hypothesis strategy of the safety tests, and the small envelope that they vary."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from protocols import OFF, Mode, Proposal, Setting
from safety import Contact, Envelope, Montage, Past, envelope_names, load_envelope

SHIPPED = {name: load_envelope(name) for name in envelope_names()}
DAY = 86_400


def small_envelope(**changes: Any) -> Envelope:
    """Return an envelope in which no coupled limit binds unless `changes` make it."""
    limits: dict[str, Any] = {
        "name": "small",
        "title": "For tests",
        "source": "None.",
        "amplitude_ua": tuple(range(1000, 9000, 1000)),
        "frequency_hz": (5, 50, 100, 200),
        "pulse_width_us": (60, 120, 240),
        "on_ms": (10_000, 20_000, 30_000),
        "off_ms": (10_000, 30_000, 90_000),
        "modes": (Mode.CONTINUOUS, Mode.CYCLING),
        "interphase_gap_us": 100,
        "contacts": (
            Contact(name="A", lead="left", area_um2=60_000_000),
            Contact(name="B", lead="left", area_um2=60_000_000),
            Contact(name="C", lead="right", area_um2=60_000_000),
        ),
        "montages": (
            Montage(name="one", shares_permille=(1000, 0, 0)),
            Montage(name="two", shares_permille=(500, 500, 0)),
            Montage(name="both", shares_permille=(0, 1000, 1000)),
        ),
        "sites": (0, 1, 2),
        "max_contact_current_ua": 8000,
        "max_lead_current_ua": 8000,
        "shannon_k_hundredths": 150,
        "max_density_hundredths": 3000,
        "max_duty_permille": 1000,
        "rise_window_s": DAY,
        "rise_amplitude_ua": 8000,
        "rise_charge_nc_per_s": 1_000_000,
        "rise_duty_permille": 1000,
        "step_amplitude_ua": 8000,
        "ramp_up_ua_per_s": 30,
        "ramp_down_ua_per_s": 120,
        "day_max_changes": 32,
        "day_max_therapies": 10_000,
        "day_max_charge_uc": 10**9,
        "adverse_site_grade": 2,
        "adverse_patient_grade": 3,
        "lockout_s": DAY,
        "fallback_refusals": 3,
        "fallback_baseline": OFF,
    }
    return Envelope(**(limits | changes))


def propose(envelope: Envelope, past: Past, setting: object, now: int, **changes: Any) -> Proposal:
    """Return a proposal that is addressed rightly but for `changes`."""
    address: dict[str, Any] = {
        "patient": past.patient,
        "sequence": past.sequence + 1,
        "at_s": now,
        "envelope_hash": envelope.hash,
        "setting": setting,
    }
    return Proposal(**(address | changes))


def running(setting: Setting, **changes: Any) -> Past:
    """Return the past of a patient in whom `setting` runs and nothing rose lately."""
    return replace(Past.start(7), delivered=setting, **changes)


def overwritten(setting: Setting, **values: object) -> Setting:
    """Return a copy of `setting` whose constructor never saw these values."""
    copy = replace(setting)
    for name, value in values.items():
        object.__setattr__(copy, name, value)
    return copy


def envelopes() -> st.SearchStrategy[Envelope]:
    return st.one_of(st.sampled_from(list(SHIPPED.values())), small_envelopes())


@st.composite
def small_envelopes(draw: st.DrawFn) -> Envelope:
    """Draw small envelopes in which any limit may bind."""
    return small_envelope(
        shannon_k_hundredths=draw(st.integers(60, 200)),
        max_density_hundredths=draw(st.integers(100, 6000)),
        max_contact_current_ua=draw(st.integers(1000, 9000)),
        max_lead_current_ua=draw(st.integers(1000, 9000)),
        max_duty_permille=draw(st.integers(300, 1000)),
        interphase_gap_us=draw(st.integers(0, 6000)),
        rise_window_s=draw(st.integers(1, 3 * DAY)),
        rise_amplitude_ua=draw(st.integers(500, 9000)),
        rise_charge_nc_per_s=draw(st.integers(10, 300_000)),
        rise_duty_permille=draw(st.integers(50, 1000)),
    )


@st.composite
def settings_of(draw: st.DrawFn, envelope: Envelope) -> Setting:
    """Draw a combination of ticks, legal or not."""
    mode = draw(st.sampled_from(envelope.modes))
    is_continuous = mode is Mode.CONTINUOUS
    return Setting(
        site=draw(st.sampled_from(envelope.sites)),
        amplitude_ua=draw(st.sampled_from(envelope.amplitude_ua)),
        frequency_hz=draw(st.sampled_from(envelope.frequency_hz)),
        pulse_width_us=draw(st.sampled_from(envelope.pulse_width_us)),
        on_ms=0 if is_continuous else draw(st.sampled_from(envelope.on_ms)),
        off_ms=0 if is_continuous else draw(st.sampled_from(envelope.off_ms)),
        mode=mode,
    )


@st.composite
def near_limit(draw: st.DrawFn, envelope: Envelope) -> Setting:
    """Draw a setting whose amplitude is within a few units of where a charge limit binds."""
    setting = draw(settings_of(envelope))
    load = envelope.binding_charge[setting.site]
    limit_ua = 1000 * load.max_charge_pc // (load.share_permille * setting.pulse_width_us)
    return replace(setting, amplitude_ua=max(0, limit_ua + draw(st.integers(-2, 2))))


@st.composite
def between_ticks(draw: st.DrawFn, envelope: Envelope) -> Setting:
    """Draw a setting whose amplitude, pulse width and on time are a little off their ticks."""
    setting = draw(settings_of(envelope))
    changes = {
        "amplitude_ua": setting.amplitude_ua + draw(st.integers(-60, 60)),
        "pulse_width_us": setting.pulse_width_us + draw(st.integers(-10, 10)),
    }
    if setting.on_ms:
        changes["on_ms"] = setting.on_ms + draw(st.integers(-50, 50))
    return replace(setting, **{name: max(1, value) for name, value in changes.items()})


@st.composite
def beside_the_box(draw: st.DrawFn, envelope: Envelope) -> Setting:
    """Draw a setting with one field that no envelope moves, changed to anything."""
    setting = draw(settings_of(envelope))
    names = ["site", "frequency_hz"] + (["off_ms"] if setting.off_ms else [])
    return replace(setting, **{draw(st.sampled_from(names)): draw(st.integers(1, 10**6))})


def wishes(envelope: Envelope) -> st.SearchStrategy[Setting]:
    return st.one_of(
        settings_of(envelope),
        near_limit(envelope),
        between_ticks(envelope),
        beside_the_box(envelope),
        st.just(OFF),
    )


def wishes_near(envelope: Envelope, setting: Setting) -> st.SearchStrategy[Setting]:
    """Draw wishes one or two ticks of one field away from what runs, where rise limits bind."""
    if setting.is_off:
        return wishes(envelope)
    names = ["amplitude_ua", "frequency_hz", "pulse_width_us", "on_ms"][: 4 if setting.on_ms else 3]
    moved = [replace(setting, **{name: tick}) for name in names for tick in getattr(envelope, name)]
    return st.sampled_from(moved)


def silences(envelope: Envelope) -> st.SearchStrategy[int]:
    """Draw how long nothing happens: nothing, seconds, one side of the window, or months."""
    window_s = envelope.rise_window_s
    edges = [0, 1, window_s - 1, window_s, window_s + 1, 10 * window_s, 200 * DAY]
    return st.one_of(st.sampled_from(edges), st.integers(0, 2 * window_s))


@st.composite
def pasts(draw: st.DrawFn, envelope: Envelope, review: Callable[..., Any]) -> Past:
    """Draw a past that some reviews led to, not one made up."""
    past = Past.start(7)
    for _ in range(draw(st.integers(0, 6))):
        now = past.at_s + draw(silences(envelope))
        wish = draw(st.one_of(wishes(envelope), wishes_near(envelope, past.delivered)))
        past = review(propose(envelope, past, wish, now), past, envelope, now).past
    return past


class IntegerOfItsOwn(int):
    """An int that lies about everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __lt__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class FloatOfItsOwn(float):
    pass


class TextOfItsOwn(str):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Explosive:
    """Raises whatever one does with it."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __repr__(self) -> str:
        raise RuntimeError("repr")

    def __index__(self) -> int:
        raise SystemExit("index")

    def __bool__(self) -> bool:
        raise SystemExit("bool")


class Impostor:
    """Claims to be an int, and to equal everything."""

    @property
    def __class__(self) -> type:  # type: ignore[override]
        return int

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__

    def __lt__(self, other: object) -> bool:
        return True


class HostileKind(type):
    """A class of classes that raises when it is compared or named."""

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("class eq")

    def __hash__(cls) -> int:
        raise RuntimeError("class hash")

    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("class name")


class OfHostileKind(metaclass=HostileKind):
    pass


NOT_INTEGERS: dict[str, object] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "minus zero": -0.0,
    "zero as a float": 0.0,
    "subnormal": 5e-324,
    "float": 1000.0,
    "true": True,
    "false": False,
    "text": "1000",
    "broken text": "\ud800",
    "long text": "9" * 10_000,
    "nothing": None,
    "complex": 1000 + 0j,
    "decimal": Decimal("1000"),
    "decimal nan": Decimal("NaN"),
    "fraction": Fraction(1000),
    "list": [1000],
    "tuple": (1000,),
    "dictionary": {"amplitude_ua": 1000},
    "set": {1000},
    "bytes": b"1000",
    "object": object(),
    "a class": int,
    "a function": len,
    "ellipsis": ...,
    "int of its own": IntegerOfItsOwn(1000),
    "float of its own": FloatOfItsOwn(1000.0),
    "text of its own": TextOfItsOwn("continuous"),
    "explosive": Explosive(),
    "impostor": Impostor(),
    "of hostile kind": OfHostileKind(),
    "negative": -1,
    "64 bits": 2**63,
    "5,000 digits": 10**5000,
    "minus 5,000 digits": -(10**5000),
}


QUIET = [label for label in NOT_INTEGERS if label not in {"explosive", "of hostile kind"}]
"""Hypothesis itself asks a value for its class and compares it; these two raise for that."""


def wild() -> st.SearchStrategy[object]:
    """Draw anything: the table above, and whatever Hypothesis finds in between."""
    return st.one_of(
        st.sampled_from(QUIET).map(lambda label: NOT_INTEGERS[label]),
        st.floats(),
        st.integers(),
        st.text(),
        st.binary(),
        st.complex_numbers(),
        st.decimals(),
        st.recursive(st.integers(), st.lists, max_leaves=5),
        st.dictionaries(st.text(), st.integers()),
    )
