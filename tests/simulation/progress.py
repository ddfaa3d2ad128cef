"""A run that was stopped goes on: its progress in a file, by version of the sources."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.simulation.totals import Totals, Version

ROOT = Path(__file__).resolve().parent.parent.parent


class Progress:
    """The universes that have been run. A seed that another version of the sources has run is not run again."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self.versions = _read(file)
        if not self.versions or self.versions[-1].source != source_digest():
            self.versions.append(Version(source_digest(), commit(), "", Totals()))
        self.totals = self.versions[-1].totals
        """Of the present version."""

    def done(self) -> set[int]:
        return {seed for version in self.versions for seed in version.totals.done}

    def all(self) -> Totals:
        """The sum of all versions."""
        summed = Totals()
        for version in self.versions:
            summed.include(version.totals)
        return summed

    def save(self) -> None:
        self.versions[-1].until = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps([version.saved() for version in self.versions]))
            new.replace(self._file)


def _read(file: Path | None) -> list[Version]:
    try:
        return [Version.loaded(saved) for saved in json.loads(file.read_text())] if file is not None else []
    except (FileNotFoundError, ValueError):
        return []


def source_digest() -> str:
    """The sources that decide what a seed does: another digest is another universe."""
    digest = hashlib.sha256(sys.version.encode())
    for folder in ("service", "tests/simulation"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def commit() -> str:
    """The commit that is checked out, with a plus sign if the sources differ from it."""
    try:
        asked = [("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "service", "tests/simulation")]
        head, changed = (
            subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for command in asked
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+" if changed else "")
