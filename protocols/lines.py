"""Where in a TOML document each of its keys stands; the standard library's reader does not say."""

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]

GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SPACE = re.compile(r"[ \t]*")
KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}|' + r"'''.*?''''{0,2}|" + r'"(?:\\.|[^"\\])*"|' + r"'[^']*'",
    re.DOTALL,
)
SCALAR = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line, from 1, on which each key, table and entry of a list begins.

    Args:
        text: a valid TOML document.

    """
    reader = _Reader(text.replace("\r\n", "\n"))
    reader.document()
    return reader.lines


class _Reader:
    """Walks once through a document that is known to be valid."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self._text = text
        self._at = 0
        self._breaks = [at for at, character in enumerate(text) if character == "\n"]
        self._n_tables: dict[Path, int] = {}  # of each array of tables, so far

    def document(self) -> None:
        """Read everything."""
        table: Path = ()
        while self._skip(GAP) < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        brackets = 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        table: Path = ()
        names = self._key()
        for place, name in enumerate(names):
            table = (*table, name)
            if brackets == 2 and place == len(names) - 1:
                self._n_tables[table] = self._n_tables.get(table, 0) + 1
            self._note(table)
            if table in self._n_tables:
                table = (*table, self._n_tables[table] - 1)
                self._note(table)
        self._at += brackets
        return table

    def _pair(self, table: Path) -> None:
        for name in self._key():
            table = (*table, name)
            self._note(table)
        self._at += 1  # the sign of equality
        self._value(table)

    def _key(self) -> list[str]:
        names: list[str] = []
        while not names or self._text.startswith(".", self._at):
            self._at += bool(names)
            self._skip(SPACE)
            word = self._take(KEY)
            names.append(tomllib.loads(f"x = {word}")["x"] if word[0] in "\"'" else word)
            self._skip(SPACE)
        return names

    def _value(self, path: Path) -> None:
        self._skip(GAP)
        opening = self._text[self._at]
        if opening in "\"'":
            self._take(TEXT)
        elif opening in "[{":
            self._at += 1
            self._entries(path, "]" if opening == "[" else "}")
        else:
            self._take(SCALAR)

    def _entries(self, path: Path, closing: str) -> None:
        n_entries = 0
        while not self._text.startswith(closing, self._skip(GAP)):
            if closing == "]":
                self._note((*path, n_entries))
                self._value((*path, n_entries))
            else:
                self._pair(path)
            n_entries += 1
            self._at += self._text.startswith(",", self._skip(GAP))
        self._at += 1

    def _note(self, path: Path) -> None:
        self.lines.setdefault(path, bisect_right(self._breaks, self._at - 1) + 1)

    def _skip(self, what: re.Pattern[str]) -> int:
        self._take(what)
        return self._at

    def _take(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return found.group()
