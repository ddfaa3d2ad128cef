"""Figures and the table they are printed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

HEADINGS = ("figure", "median", "lowest - highest", "goal")


@dataclass(frozen=True)
class Row:
    """One figure: what was measured in each round."""

    what: str
    values: Sequence[float]
    unit: str = ""
    goal: str = ""

    def cells(self) -> tuple[str, str, str, str]:
        low, high = format_value(min(self.values)), format_value(max(self.values))
        spread = f"{low} - {high}" if len(self.values) > 1 else ""
        return self.what, f"{format_value(median(self.values))} {self.unit}".rstrip(), spread, self.goal


def ratio(what: str, ours: Row, theirs: Row, goal: str = "") -> Row:
    """One row divided by another, round by round: what disturbs a round disturbs both sides of it."""
    values = [our / their for our, their in zip(ours.values, theirs.values, strict=True) if their]
    return Row(what, values or [float("nan")], "x", goal)


def format_value(value: float) -> str:
    """Three digits that count."""
    if value != value or value == 0:
        return f"{value:g}"
    digits = max(0, 2 - int(f"{abs(value):e}".split("e")[1]))
    return f"{value:,.{digits}f}"


def table(title: str, rows: Iterable[Row]) -> str:
    """The rows as aligned columns below their subject's title."""
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(HEADINGS))]

    def line(parts: Sequence[str]) -> str:
        first, *others = (
            part.ljust(width) if index == 0 else part.rjust(width)
            for index, (part, width) in enumerate(zip(parts, widths, strict=True))
        )
        return "  ".join([first, *others]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join(["", title, "", line(cells[0]), rule, *map(line, cells[1:])])
