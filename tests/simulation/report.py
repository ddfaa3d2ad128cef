"""The long runs in docs/reliability.md: a row for each version of the sources, and their sum.

A seed is another universe as soon as a source changes, so what several versions found adds up. Rows of other versions
and profiles stay; those of the versions that a run holds are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tests.simulation.totals import Totals, Version

FILE = Path(__file__).resolve().parent.parent.parent / "docs/reliability.md"
BEGIN = "<!-- the long runs, which `make simulate REPORT=1` writes -->"
END = "<!-- end of the simulation -->"
HEAD = (
    "| profile | sources | commit | until | universes | faults | live readings | not live | failures | right after |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
_ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \|.*$", re.MULTILINE)
_LINE = re.compile(r"^- `(\w+)`(?:, sources `(\w+)`)?.*$", re.MULTILINE)
Key = tuple[str, str]


def write(profile: str, versions: Sequence[Version]) -> None:
    """Replace the rows of a profile's versions in the section."""
    text = FILE.read_text()
    before, _, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    assert end, f"{FILE.name} holds no markers"
    FILE.write_text(f"{before}{BEGIN}\n\n{section(old, profile, versions)}\n\n{END}{after}")


def section(old: str, profile: str, versions: Sequence[Version]) -> str:
    """The section with the rows and lines of a profile's versions, and those of `old` that are of others."""
    rows: dict[Key, str] = {(found[1], found[2]): found[0] for found in _ROW.finditer(old)}
    lines: dict[Key, str] = {(found[1], found[2] or ""): found[0] for found in _LINE.finditer(old)}
    for version in versions:
        key = (profile, version.source)
        rows[key] = _row(profile, version)
        lines.pop(key, None)
        if version.totals.failed:
            lines[key] = f"- `{profile}`, sources `{version.source}`: {_failures(version.totals)}"
    lines[(profile, "")] = f"- `{profile}`: {_what(versions)}"
    table = "\n".join([HEAD, *(rows[key] for key in sorted(rows)), _sum([rows[key] for key in sorted(rows)])])
    return table + "\n\n" + "\n".join(lines[key] for key in sorted(lines))


def _row(profile: str, version: Version) -> str:
    totals = version.totals
    counts = (totals.universes, totals.faults, totals.live, totals.not_live, len(totals.failed))
    numbers = " | ".join(f"{count:,}" for count in counts)
    return f"| `{profile}` | `{version.source}` | {version.commit} | {version.until} | {numbers} | {_right(totals)} |"


def _right(totals: Totals) -> str:
    return f"{totals.right_after:.1f} s"


def _sum(rows: Sequence[str]) -> str:
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    sums = [f"{sum(int(cell[column].replace(',', '')) for cell in cells):,}" for column in range(4, 9)]
    longest = max(float(cell[9].removesuffix(" s")) for cell in cells)
    return f"| **all** | | | | {' | '.join(f'**{number}**' for number in sums)} | {longest:.1f} s |"


def _failures(totals: Totals) -> str:
    return "; ".join(f"seed {seed}: {why[:300]}" for seed, why in totals.failed.items())


def _what(versions: Sequence[Version]) -> str:
    """What was counted in all versions of a run."""
    summed = Totals()
    for version in versions:
        summed.include(version.totals)
    counts = [f"{summed.simulated / 3600:,.1f} simulated hours"]
    counts += [f"{count:,} {name}" for name, count in sorted(summed.counters.items())]
    counts += [f"{count:,} of {kind}" for kind, count in sorted(summed.kinds.items())]
    return ", ".join(counts)
