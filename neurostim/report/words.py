"""Numbers and plain words as a report prints them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

NOT_ESTIMATED = "–"
DECIMALS = {
    "ratio": 2,
    "%": 1,
    "percentage points": 1,
    "days": 1,
    "days per patient-year": 1,
    "ranks": 1,
    "J per patient-day": 0,
    "incidents": 1,
}

UNITS = {
    "_ua": ("mA", 1000),
    "_uc": ("µC", 1),
    "_hz": ("Hz", 1),
    "_us": ("µs", 1),
    "_ms": ("ms", 1),
    "_days": ("days", 1),
    "_day": ("per day", 1),
    "_epochs": ("epochs", 1),
    "_percent": ("%", 1),
    "_s": ("s", 1),
}

GLOSSARY = {
    "95 % interval": "The range of values that the data are compatible with. Over repeated trials "
    "with "
    "other simulated patients, 95 % of such ranges would hold the true value. It is also the "
    "Monte Carlo "
    "error of the simulation.",
    "Adjusted p": "The p value after Holm's correction for comparing several arms with the "
    "reference.",
    "Arm": "A group of patients that is treated by one protocol. Here every arm treats the same "
    "simulated patients, so that arms can be compared within a patient.",
    "Baseline": "The time before treatment, without stimulation, in which seizures are counted.",
    "Charge": "How much electricity was delivered, in coulombs (C).",
    "Clamped": "The setting asked for was not allowed, and the nearest weaker allowed one was "
    "delivered.",
    "Device-side check": "An independent check inside the simulated device that refuses a "
    "forbidden "
    "setting. It must never have to: each time is an incident.",
    "Epoch": "The time between two decisions about the setting.",
    "Gap": "The difference between a patient's true seizure rate without stimulation and at the "
    "best "
    "setting that may be delivered. Only a simulation knows it.",
    "Held": "Nothing usable was asked for, or it was refused, so the setting was kept as it was or "
    "switched off.",
    "Hodges-Lehmann shift": "The median of all differences between a patient of one arm and a "
    "patient of the other; it belongs to the rank-sum test.",
    "Minimal important difference": "How much a patient must differ between two arms to be counted "
    "as worse or better, in percentage points of percent change.",
    "Monte Carlo error": "The standard error of an estimate over the simulated patients: twice as "
    "many patients make it 1.4 times smaller.",
    "p value": "How often a difference at least as large as this would be seen if there were none. "
    "A large one does not show that arms are equal.",
    "Paired": "Compared within each patient, which only a simulation can do; a real trial is "
    "unpaired.",
    "Percent change": "100 × (rate in the evaluation window − rate at baseline) / rate at "
    "baseline. "
    "−100 % is no seizure at all; above 0 % is worse. It is missing after a baseline without "
    "seizures.",
    "Rate ratio": "The expected number of seizures in an arm divided by that in the reference, "
    "for the "
    "same baseline. 0.7 means 30 % fewer.",
    "Rank ANCOVA": "A regression of the rank of a patient's rate on the arm and the rank of the "
    "rate at baseline.",
    "Regret": "The seizures that each patient's best setting would have spared: in the trial per "
    "28 days, cumulative over all of treatment, and simple at the final setting.",
    "Responder": "A patient whose seizures fell by at least 50 % (or 75 or 90 %) from baseline.",
    "Setting": "Where and how the device stimulates: site, amplitude, frequency, pulse width and "
    "cycle.",
    "Sham": "An implanted device that stays off. What changes in this arm is not due to "
    "stimulation.",
    "Time to the pre-randomisation count": "How many recorded days of treatment it took to have as "
    "many seizures as in 28 days of baseline (T-PSC). Longer is better.",
    "Unpaired": "Compared as if the arms had treated different people, as in a real trial.",
    "Unsafe epoch": "An epoch at a setting that the hidden truth says this patient should not be "
    "given.",
}


def number(value: float, unit: str = "", decimals: int | None = None) -> str:
    """Return a number as printed, with as many decimals as its unit deserves and a true minus."""
    if value is None or not math.isfinite(value):
        return NOT_ESTIMATED
    if decimals is None:
        decimals = DECIMALS.get(unit.split(" of ")[0], 2)
    text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return text.replace("-", "−")


def interval(low: float, high: float, unit: str = "", decimals: int | None = None) -> str:
    """Return "low to high", or a dash when there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NOT_ESTIMATED
    return f"{number(low, unit, decimals)} to {number(high, unit, decimals)}"


def p_value(p: float) -> str:
    """Return a p value to three decimals."""
    if not math.isfinite(p):
        return NOT_ESTIMATED
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(n: int) -> str:
    """Return a whole number with its thousands marked."""
    return f"{n:,}"


def percent_of(n: int, n_all: int) -> str:
    """Return a share in percent, or a dash of nothing."""
    return f"{number(100 * n / n_all, '%')} %" if n_all else NOT_ESTIMATED


def duration(seconds: float) -> str:
    """Return a wall time in the units that a person would use."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def listed(words: Iterable[str], conjunction: str = "and") -> str:
    """Return words as a sentence lists them."""
    parts = list(words)
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {conjunction} {parts[-1]}"


def short(name: str, longest: int = 24) -> str:
    """Return a name that fits a figure."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def option_words(options: Mapping[str, Any]) -> list[str]:
    """Return an arm's options with their units, such as "amplitude 1.5 mA"."""
    return [option_word(str(name), value) for name, value in options.items()]


def option_word(name: str, value: Any) -> str:
    """Return one option in plain words; a nested table becomes a bracket."""
    if isinstance(value, Mapping):
        return f"{name.replace('_', ' ')} ({listed(option_words(value))})"
    for suffix, (unit, divisor) in UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {plain(value, divisor)} {unit}"
    return f"{name.replace('_', ' ')} {plain(value)}"


def plain(value: Any, divisor: int = 1) -> str:
    """Return an option's value; lists are spelt out and true is yes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return listed(plain(part, divisor) for part in value)
    if isinstance(value, int | float):
        return f"{value / divisor:g}" if divisor != 1 else f"{value:,}"
    return str(value)
