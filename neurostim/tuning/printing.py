"""What is printed while tuning goes on, and at its end."""

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from neurostim.tuning.difference import OBJECTIVES
from neurostim.tuning.search import PRIMARY, Asked, Known
from neurostim.tuning.tune import Tuning
from neurostim.tuning.writing import sentence, verdict, words

MOST_SHOWN = 8


def live_table(known: Known, asked: Asked | None, budget: int) -> Table:
    """The best choices so far on the highest rungs, and what is being evaluated."""
    spent = f"{known.cost:.1f} of {budget} whole trials, {len(known.on(0))} choices"
    now = "" if asked is None else f"; now {_words(known, asked)} on rung {asked.rung + 1}"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=spent, caption=escape(now.lstrip("; ")))
    table.add_column("rung", justify="right")
    table.add_column("changed against the design")
    for name in OBJECTIVES:
        table.add_column(f"{name}\nless default", justify="right", no_wrap=True)
    usual = known.space.usual
    highest = {choice: rung for choice, rung in known.lives if choice != usual}
    shown = [
        (rung, choice, known.against_usual(choice, rung))
        for choice, rung in highest.items()
        if (usual, rung) in known.lives
    ]
    shown.sort(key=lambda each: (-each[0], -each[2].weighed(PRIMARY)[0]))
    for rung, choice, each in shown[:MOST_SHOWN]:
        cells = (
            f"{value:+.3g} ± {error:.2g}"
            for value, error in zip(each.values, each.errors, strict=True)
        )
        table.add_row(str(rung + 1), escape(words(known.space.changes(choice))), *cells)
    return table


def lines(tuning: Tuning) -> list[str]:
    """What came of it, in sentences."""
    changed = words(tuning.changes)
    return [
        f"Changed: {changed}." if changed else "Nothing was changed.",
        *map(sentence, tuning.confirmations),
        verdict(tuning),
    ]


def _words(known: Known, asked: Asked) -> str:
    return words(known.space.changes(asked.choice)) or "the default"
