"""What the commands `learn` and `federate` print."""

from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from neurostim.learning.hospital import Sent
from neurostim.learning.judgement import IN_TRIAL
from neurostim.learning.learn import Learning


def learning_table(learning: Learning) -> Table:
    """Each recipe by held-out patients, and the prior beside the generic one."""
    table = Table(
        title=f"A prior over {len(learning.candidates)} settings from {learning.n_patients} "
        "patients",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("prior", style="bold")
    table.add_column("held-out patients", justify="right")
    table.add_column("value ± standard error", justify="right")
    for recipe, judged in learning.recipes.items():
        mark = " (chosen)" if recipe == learning.chosen else ""
        table.add_row(f"{recipe}{mark}", str(judged.n_patients), str(judged), style="dim")
    table.add_row("learned", str(learning.learned.n_patients), str(learning.learned))
    table.add_row("generic", str(learning.generic.n_patients), str(learning.generic))
    table.caption = f"Value: {learning.judged_by}. " + (
        "The last two rows are of fresh patients, whom no choice has seen."
        if learning.judged_by == IN_TRIAL
        else "The truth about these patients is not known, and the recipe was chosen by them too."
    )
    table.caption_justify = "left"
    return table


def learning_lines(learning: Learning, out: Path) -> list[str]:
    """What to know beside the table."""
    first = "; ".join(str(setting) for setting in learning.anchors)
    lines = [f"First settings to try: {first}."]
    if learning.n_elsewhere:
        lines.append(
            f"{learning.n_elsewhere} epochs were at settings that are not on the list and taught "
            "nothing."
        )
    if learning.learned.value < learning.generic.value:
        lines.append("On held-out patients this prior is not better than the generic one.")
    return [*lines, f"Prior: {out}"]


def sent_lines(sent: Sent, out: Path, clip: float | None) -> list[str]:
    """What a hospital sends, and what it says of its patients."""
    lines = [f"Sums over {sent.n_patients} patients for round {sent.round}: {out}"]
    lines.append(
        f"The median norm of a contribution is {sent.median_norm:.3g}"
        + (f"; {sent.n_clipped} were clipped to {clip:g}." if clip is not None else ".")
        + " This stays here."
    )
    if sent.epsilon is None:
        lines.append("No privacy budget can be stated: this round, or one before it, has no noise.")
    else:
        lines.append(
            f"Privacy budget over all rounds so far: epsilon = {sent.epsilon:.3g} at "
            f"delta = {sent.delta:g}, for a patient's whole history."
        )
    return lines


def combined_lines(about: dict[str, Any], out: Path) -> list[str]:
    """What the combined prior stands on."""
    return [
        f"Round {about['round']}: {about['n_patients']} patients of {about['n_hospitals']} "
        f"hospitals. Prior: {out}"
    ]
