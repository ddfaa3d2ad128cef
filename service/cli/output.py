"""Results on standard output: tables and sentences for people, or one JSON document for programs (`--json`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

_CONTROLS = re.compile("[\x7f-\x9f]")


class Columns:
    """Aligned columns for people, printed page by page. A column widens with its widest cell so far."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._widths = [0] * len(names)

    def print(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Print a page of rows, the first below the names; control characters are replaced."""
        lines = [[_cell(row[name]) for name in self._names] for row in rows]
        if not any(self._widths):
            lines.insert(0, list(self._names))
        self._widths = [max((width, *map(len, cells))) for width, *cells in zip(self._widths, *lines, strict=True)]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, self._widths, strict=True)).rstrip())


class Text:
    """Output for people."""

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Print rows in aligned columns; control characters are replaced."""
        Columns(columns).print(rows)

    def record(self, values: Mapping[str, Any]) -> None:
        """Print one object, a line per field."""
        self.table([{"field": name, "value": value} for name, value in values.items()], ("field", "value"))

    def line(self, text: str) -> None:
        """Print one line; control characters are replaced."""
        print(_cell(text))

    def done(self, sentence: str, **_: Any) -> None:
        """Print what was done; control characters are replaced."""
        print(_cell(sentence))

    def report(
        self,
        lines: Iterable[str],
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        facts: Mapping[str, Any],
    ) -> None:
        """Print lines and a table for people, with control characters replaced; for programs the facts."""
        for line in lines:
            print(_cell(line))
        if rows:
            self.table(rows, columns)

    def failed(self, error: str) -> None:
        """Print an error; control characters are replaced, but for line breaks."""
        print("\n".join(map(_cell, f"error: {error}".split("\n"))), file=sys.stderr)


class Json(Text):
    """Output for programs: an array of objects, or one object. Times are RFC 3339, missing values null."""

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        _print([{column: row[column] for column in columns} for row in rows])

    def record(self, values: Mapping[str, Any]) -> None:
        _print(dict(values))

    def done(self, sentence: str, **facts: Any) -> None:
        """Print the sentence for people, and the facts as fields for programs."""
        _print({"done": sentence, **facts})

    def report(
        self,
        lines: Iterable[str],
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[str],
        facts: Mapping[str, Any],
    ) -> None:
        _print(dict(facts))

    def failed(self, error: str) -> None:
        print(_escape_controls(msgspec.json.encode({"error": error}).decode()), file=sys.stderr)


def _print(value: Any) -> None:
    print(_escape_controls(msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()))


def _escape_controls(document: str) -> str:
    """Escape what JSON permits in a string and a terminal obeys: DEL, and the control characters U+0080 to U+009F."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(timespec="seconds"))
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))
