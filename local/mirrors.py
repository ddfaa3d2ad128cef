"""The package sources of this machine, as its own apt reports them."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# A release is listed under its code name or under one of these.
ALIASES = ("oldstable", "stable", "testing", "unstable", "sid")


class PackageError(Exception):
    """The packages are not available. The message says why, in one line if apt does."""


@dataclass(frozen=True)
class Source:
    """A suite on a mirror."""

    uri: str
    suite: str

    def line(self) -> str:
        """The line for a sources.list."""
        keyring = _keyring()
        signed_by = f"[signed-by={keyring}] " if keyring else ""
        components = "main universe" if distribution() == "ubuntu" else "main"
        return f"deb {signed_by}{self.uri} {self.suite} {components}\n"


def distribution() -> str:
    """The ID of the distribution, such as `debian` or `ubuntu`."""
    return _os_release().get("ID", "unknown")


def machine_sources() -> list[Source]:
    """The sources of the machine's own release, from its apt configuration. Mirrors are never guessed."""
    codename = _os_release().get("VERSION_CODENAME", "")
    names = {name + pocket for name in (codename, *ALIASES) for pocket in ("", "-updates", "-security")}
    # The files that an update would fetch are known even before the first update.
    fetched = run(["apt-get", "update", "--print-uris"], 60)
    found = re.findall(r"^'(\S+)/dists/(\S+)/InRelease'", fetched, re.MULTILINE)
    sources = [Source(uri, suite) for uri, suite in dict.fromkeys(found) if suite in names]
    if not sources:
        raise PackageError("this machine's apt configuration names no repository of its own distribution")
    # Other publishers may use the same suite names, but not the distribution's keys.
    return [source for source in sources if distribution() in source.uri] or sources


def suite_sources(suite: str) -> list[Source]:
    """Another suite, such as `sid`, on this Debian machine's mirror."""
    if distribution() != "debian":
        raise PackageError(f"only Debian's mirrors carry {suite}, and this machine is {distribution()}")
    mirrors = [s.uri for s in machine_sources() if "-" not in s.suite]
    if not mirrors:
        raise PackageError("this machine's apt configuration names no mirror of a whole release")
    return [Source(mirrors[0], suite)]


def run(argv: Sequence[str], timeout_s: float) -> str:
    """The standard output of a command. Raises PackageError, with apt's message if there is one."""
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    except FileNotFoundError:
        raise PackageError(f"{argv[0]} is not on this machine: it needs Debian's or Ubuntu's tools") from None
    except subprocess.TimeoutExpired:
        raise PackageError(f"{argv[0]} took more than {timeout_s:.0f} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")] or [done.stderr.strip()]
        raise PackageError(f"{argv[0]}: {' '.join(errors)}")
    return done.stdout


def _keyring() -> Path | None:
    """The distribution's keyring. None: apt uses the machine's trusted keys."""
    names = [f"/usr/share/keyrings/{distribution()}-archive-keyring.{end}" for end in ("gpg", "pgp")]
    return next((Path(name) for name in names if Path(name).exists()), None)


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
