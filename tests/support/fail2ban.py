"""fail2ban's own programs, from Debian's or Ubuntu's package, run on logs with the filters of deploy/fail2ban."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from local import debian
from local.cache import cache_dir
from tests.support.command_line import ROOT

FOLDER = ROOT / "deploy/fail2ban"
VICTIM = "9.9.9.9"
"""An address that nothing in a test comes from."""


def extracted() -> Path:
    """Debian's or Ubuntu's package, extracted; its Python code runs with this Python. Raises PackageError."""
    return debian.extract(["fail2ban"], cache_dir() / "fail2ban")


@pytest.fixture(scope="session")
def fail2ban() -> Path:
    """The package."""
    return extracted()


def run(fail2ban: Path, program: str, *arguments: str | Path) -> str:
    """What a program of the package prints. It must succeed."""
    environment = {"PATH": os.defpath, "PYTHONPATH": str(fail2ban / "usr/lib/python3/dist-packages"), "TZ": "UTC"}
    command = [sys.executable, "-B", fail2ban / "usr/bin" / program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def counted(fail2ban: Path, filter_: str, lines: Iterable[str], file: Path) -> Counter[str]:
    """How often the filter finds each address."""
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    told = run(fail2ban, "fail2ban-regex", "--out", "ip", file, FOLDER / f"filter.d/{filter_}.conf")
    return Counter(told.split())


def as_docker_keeps_it(line: str) -> str:
    """The driver json-file is written in Go, which spells these three so."""
    entry = {"log": f"{line}\n", "stream": "stdout", "time": "2026-11-26T14:24:11.768021123Z"}
    text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
