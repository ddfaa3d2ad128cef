"""Where a Chromium for tests is: the machine's own, or the distribution's package in the cache.

Chromium starts its other processes through /proc/self/exe. So it cannot run through an extracted loader, as Asterisk
does, but only through the machine's own: its package is of the machine's own release, and the C library, which has
to match the loader, is not extracted.
"""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass

from local import bootstrap, debian

NAMES = ("chromium", "chromium-headless-shell", "google-chrome", "google-chrome-stable", "chromium-browser")
PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")  # a third smaller than the package with windows
LIBRARIES = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")
START_TIMEOUT_S = 30


class ChromiumError(Exception):
    """There is none that runs; the message says why."""


@dataclass(frozen=True)
class Chromium:
    """How to start it: a program, and what its environment must have beside one's own."""

    program: str
    environment: dict[str, str]


@functools.cache
def find() -> Chromium:
    """The first on PATH that runs, else an extracted one. Raises ChromiumError."""
    for name in NAMES:
        if program := shutil.which(name):
            found = Chromium(program, {})
            if _trouble(found) is None:  # Ubuntu has a script of that name that only tells to install a snap
                return found
    found = _extracted()
    if trouble := _trouble(found):
        raise ChromiumError(f"{found.program} does not run: {trouble}")
    return found


def _extracted() -> Chromium:
    root = debian.cache_dir() / "chromium"
    try:
        debian.extract(PACKAGES, root, without=["libc6"], say=bootstrap.say)
    except (debian.PackageError, OSError) as error:
        raise ChromiumError(
            f"no Chromium or Chrome is on PATH, and its package cannot be had: {error}"
            + ("; Ubuntu has it only as a snap" if debian.distribution() == "ubuntu" else "")
        ) from error
    folders = [str(folder) for pattern in LIBRARIES for folder in sorted(root.glob(pattern))]
    environment = {"LD_LIBRARY_PATH": ":".join(folders), "FONTCONFIG_SYSROOT": str(root)}
    return Chromium(str(root / "usr/lib/chromium/chromium-headless-shell"), environment)


def _trouble(found: Chromium) -> str | None:
    """What it says when it cannot even tell its version."""
    command = [found.program, "--version"]
    environment = {**os.environ, **found.environment}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (done.stderr or done.stdout).strip()
    return None if done.returncode == 0 and "Chrom" in done.stdout else said or f"exit code {done.returncode}"
