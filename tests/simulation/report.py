"""The section of docs/reliability.md about the last long run."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from tests.simulation.totals import Totals

FILE = Path(__file__).resolve().parent.parent.parent / "docs/reliability.md"
BEGIN = "<!-- the last result of `make simulate REPORT=1`, which writes it -->"
END = "<!-- end of the simulation -->"


def write(profile: str, totals: Totals, seeds: range, source: str) -> None:
    """Replace the section."""
    text = FILE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert before != text, f"{FILE.name} holds no marker"
    FILE.write_text(f"{before}{BEGIN}\n\n{section(profile, totals, seeds, source)}\n\n{END}{after}")


def section(profile: str, totals: Totals, seeds: range, source: str) -> str:
    """What was run, and what came of it."""
    failed = totals.failed
    kinds = ", ".join(f"{count:,} of {kind}" for kind, count in sorted(totals.kinds.items()))
    rows = [
        ("universes", f"{totals.universes:,}, seeds {seeds.start} to {seeds.stop - 1}"),
        ("simulated time", f"{totals.simulated / 3600:.1f} h"),
        ("faults", f"{totals.faults:,}: {kinds}"),
        ("live readings, each compared with the truth", f"{totals.live:,}"),
        ("readings that were not live", f"{totals.not_live:,}"),
        *((name, f"{count:,}") for name, count in sorted(totals.counters.items())),
        ("failures", "; ".join(f"seed {seed}: {why}" for seed, why in failed.items()) or "0"),
        ("longest time after the last fault until everything was right", f"{totals.right_after:.1f} s"),
    ]
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    made_by = f"{made}, profile {profile}, Python {platform.python_version()}, sources {source}."
    return f"{made_by}\n\n| | |\n| --- | --- |\n{table}"
