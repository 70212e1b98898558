"""What every command prints with: the console, the notice, and a bar that shows how far work is."""

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

NOTICE = "Research software, not a medical device. All patients are simulated."

console = Console()


def progress_bar(*columns: str) -> "Progress":
    """A bar on stderr that leaves nothing behind; `columns` are further texts, before the times."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        *map(progress.TextColumn, columns),
        progress.TimeRemainingColumn(),
        progress.TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
