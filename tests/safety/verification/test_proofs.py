"""The algebra of the gate, proved by z3 for all integers; each wrong twin of it is refuted.

What rounding, clamping and adding up must do, with the formula that is used and formulas that are
nearly it. `test_proofs_of_code` does the same for the code itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import z3

from tests.safety.verification.symbolic import RefutedError, at_least_0, prove, ratio

SECOND_US = 1_000_000
Formula = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theorem:
    """What a formula must do for all integers, the formula, and twins of it that do not."""

    names: str
    given: Formula
    claim: Formula
    formula: Formula
    twins: tuple[Formula, ...]

    def prove(self, formula: Formula) -> None:
        numbers = [z3.Int(name) for name in self.names.split()]
        prove(self.claim(formula, *numbers), [*self.given(*numbers)])


def up(value: Any, divisor: Any) -> Any:
    """Return a quotient rounded up."""
    return -(-value / divisor)


THEOREMS = {
    "how many on-phases begin within a day, wherever the cycle stands": Theorem(
        names="day period phase n",
        given=lambda day, period, phase, n: [
            day > 0,
            period > 0,
            phase >= 0,
            n >= 1,
            phase + (n - 1) * period < day,
        ],
        claim=lambda most, day, period, phase, n: n <= most(day, period),
        formula=lambda day, period: day / period + z3.If(day % period > 0, 1, 0),
        twins=(lambda day, period: day / period,),
    ),
    "the highest amplitude within a limit of charge or current": Theorem(
        names="limit per_unit",
        given=lambda limit, per_unit: [limit >= 0, per_unit > 0],
        claim=lambda ceiling, limit, per_unit: z3.And(
            ceiling(limit, per_unit) * per_unit <= limit,
            (ceiling(limit, per_unit) + 1) * per_unit > limit,
            ceiling(limit, per_unit) >= 0,
        ),
        formula=lambda limit, per_unit: limit / per_unit,
        twins=(up, lambda limit, per_unit: limit / per_unit + 1),
    ),
    "one more tick of a list that increases: down, the highest that is low enough, a tick": Theorem(
        names="ceiling best earlier tick",
        given=lambda ceiling, best, earlier, tick: [
            best <= ceiling,
            best < tick,
            earlier < tick,
            z3.Implies(earlier <= ceiling, earlier <= best),
        ],
        claim=lambda step, ceiling, best, earlier, tick: z3.And(
            step(ceiling, best, tick) <= ceiling,
            z3.Implies(earlier <= ceiling, earlier <= step(ceiling, best, tick)),
            z3.Implies(tick <= ceiling, step(ceiling, best, tick) == tick),
            z3.Or(step(ceiling, best, tick) == best, step(ceiling, best, tick) == tick),
            z3.Implies(ceiling == best, step(ceiling, best, tick) == best),  # idempotent
        ),
        formula=lambda ceiling, best, tick: z3.If(tick <= ceiling, tick, best),
        twins=(
            lambda ceiling, best, tick: z3.If(tick < ceiling, tick, best),
            lambda ceiling, best, tick: z3.If(tick - ceiling < ceiling - best, tick, best),
            lambda ceiling, best, tick: ceiling,
        ),
    ),
    "the widest pulse that fits the period": Theorem(
        names="frequency gap",
        given=lambda frequency, gap: [frequency > 0, gap >= 0, SECOND_US / frequency >= gap],
        claim=lambda width, frequency, gap: z3.And(
            ratio(2 * width(frequency, gap) + gap, SECOND_US) <= 1 / z3.ToReal(frequency),
            ratio(2 * width(frequency, gap) + 2 + gap, SECOND_US) > 1 / z3.ToReal(frequency),
        ),
        formula=lambda frequency, gap: (SECOND_US / frequency - gap) / 2,
        twins=(
            lambda frequency, gap: SECOND_US / frequency / 2,
            lambda frequency, gap: up(SECOND_US / frequency - gap, 2),
            lambda frequency, gap: (up(SECOND_US, frequency) - gap) / 2,
        ),
    ),
    "the longest on time within a duty": Theorem(
        names="share whole off",
        given=lambda share, whole, off: [share > 0, share < whole, off > 0],
        claim=lambda on, share, whole, off: z3.And(
            on(share, whole, off) * whole <= share * (on(share, whole, off) + off),
            (on(share, whole, off) + 1) * whole > share * (on(share, whole, off) + 1 + off),
        ),
        formula=lambda share, whole, off: share * off / (whole - share),
        twins=(
            lambda share, whole, off: share * off / whole,
            lambda share, whole, off: up(share * off, whole - share),
        ),
    ),
    "what a level may rise to within a window, and that a fall is never limited": Theorem(
        names="start level spent limit",
        given=lambda start, level, spent, limit: [start >= 0, level >= 0, spent >= 0, limit > 0],
        claim=lambda highest, start, level, spent, limit: z3.And(
            z3.Implies(
                z3.And(level <= highest(start, spent, limit), level > start),
                spent + level - start <= limit,
            ),
            z3.Implies(level <= start, level <= highest(start, spent, limit)),
            z3.Implies(
                z3.And(level > start, spent + level - start <= limit),
                level <= highest(start, spent, limit),
            ),
        ),
        formula=lambda start, spent, limit: start + at_least_0(limit - spent),
        twins=(
            lambda start, spent, limit: start + limit,
            lambda start, spent, limit: start + limit - spent,
            lambda start, spent, limit: at_least_0(limit - spent),
            lambda start, spent, limit: start + at_least_0(limit - spent) + 1,
        ),
    ),
    "seconds of a ramp": Theorem(
        names="difference rate",
        given=lambda difference, rate: [difference >= 0, rate > 0],
        claim=lambda seconds, difference, rate: z3.And(
            seconds(difference, rate) * rate >= difference,
            z3.Or(difference == 0, (seconds(difference, rate) - 1) * rate < difference),
        ),
        formula=up,
        twins=(lambda difference, rate: difference / rate, lambda d, rate: d / rate + 1),
    ),
    "a limit as it is printed": Theorem(
        names="limit unit",
        given=lambda limit, unit: [limit >= 0, unit > 1],
        claim=lambda printed, limit, unit: z3.And(
            printed(limit, unit) * unit <= limit, printed(limit, unit) * unit > limit - unit
        ),
        formula=lambda limit, unit: limit / unit,
        twins=(up, lambda limit, unit: (limit + unit / 2) / unit),
    ),
    "a whole charge within a density, pC and µm² against µC and cm²": Theorem(
        names="charge area density",
        given=lambda charge, area, density: [charge >= 0, area > 0, density > 0],
        claim=lambda limit, charge, area, density: (
            (charge <= limit(area, density))
            == (ratio(charge, 10**6) / ratio(area, 10**8) <= ratio(density, 100))
        ),
        formula=lambda area, density: density * area / 10_000,
        twins=(
            lambda area, density: up(density * area, 10_000),
            lambda area, density: density * area / 1_000,
            lambda area, density: density * (area / 10_000),
        ),
    ),
    "a whole charge against the root that bounds its fourth power": Theorem(
        names="charge root bound",
        given=lambda charge, root, bound: [
            charge >= 0,
            root >= 0,
            root * root * root * root <= bound,
            bound < (root + 1) * (root + 1) * (root + 1) * (root + 1),
        ],
        claim=lambda permits, charge, root, bound: (
            permits(charge, root) == (charge * charge * charge * charge <= bound)
        ),
        formula=lambda charge, root: charge <= root,
        twins=(
            lambda charge, root: charge < root,
            lambda charge, root: charge <= root + 1,
        ),
    ),
}


@pytest.mark.req("SR-26")
@pytest.mark.parametrize("name", THEOREMS)
def test_the_algebra_holds_for_all_integers(name: str) -> None:
    THEOREMS[name].prove(THEOREMS[name].formula)


@pytest.mark.req("SR-26")
@pytest.mark.parametrize(
    ("name", "twin"),
    [(name, twin) for name, theorem in THEOREMS.items() for twin in range(len(theorem.twins))],
)
def test_a_formula_that_is_nearly_right_is_refuted(name: str, twin: int) -> None:
    with pytest.raises(RefutedError):
        THEOREMS[name].prove(THEOREMS[name].twins[twin])


@pytest.mark.req("SR-26")
@pytest.mark.parametrize(("power_of_ten", "is_right"), [(11, True), (10, False), (12, False)])
def test_shannons_limit_in_integers_is_shannons_limit(power_of_ten: int, is_right: bool) -> None:
    """Q_µC² <= A_cm² 10^1.5 is Q_pC^4 <= A_µm²² 10^11; x stands for 10^1.5, x² = 1000."""
    charge, area, x = z3.Reals("charge area x")
    given = [charge >= 0, area > 0, x > 0, x * x == 1000]
    in_units = charge * charge / 10**12 <= area / 10**8 * x
    in_integers = charge**4 <= area**2 * 10**power_of_ten
    if is_right:
        prove(in_units == in_integers, given)
    else:
        with pytest.raises(RefutedError):
            prove(in_units == in_integers, given)
