"""Docker's command line."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from typing import Any


def docker(*arguments: str, **how: Any) -> str:
    """Standard output of a docker command that must succeed."""
    done = tried(*arguments, **how)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def tried(
    *arguments: str, stdin: str = "", timeout_s: float = 120, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A docker command that may fail."""
    return subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False, env=env
    )
