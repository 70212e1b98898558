"""What the fixture `run` gives: the exit code of a command, and what it printed on both streams."""

from collections.abc import Callable
from typing import TypeAlias

Run: TypeAlias = Callable[..., tuple[int, str, str]]
