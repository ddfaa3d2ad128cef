"""Where this machine gets its packages from, in the words of its own apt."""

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
    """The packages could not be had; the message says why, in one line where apt does."""


@dataclass(frozen=True)
class Source:
    """A suite on a mirror."""

    uri: str
    suite: str

    def line(self) -> str:
        """For a sources.list."""
        keyring = _keyring()
        signed_by = f"[signed-by={keyring}] " if keyring else ""
        components = "main universe" if distribution() == "ubuntu" else "main"
        return f"deb {signed_by}{self.uri} {self.suite} {components}\n"


def distribution() -> str:
    """`debian`, `ubuntu`, or what the machine calls itself."""
    return _os_release().get("ID", "unknown")


def machine_sources() -> list[Source]:
    """The machine's own release, from its own apt configuration: mirrors are never guessed."""
    codename = _os_release().get("VERSION_CODENAME", "")
    names = {name + pocket for name in (codename, *ALIASES) for pocket in ("", "-updates", "-security")}
    # What an update would fetch: known even where no list was ever fetched.
    fetched = run(["apt-get", "update", "--print-uris"], 60)
    found = re.findall(r"^'(\S+)/dists/(\S+)/InRelease'", fetched, re.MULTILINE)
    sources = [Source(uri, suite) for uri, suite in dict.fromkeys(found) if suite in names]
    if not sources:
        raise PackageError("this machine's apt configuration names no repository of its own distribution")
    # Other publishers may use the same suite names, with keys that are not the distribution's.
    return [source for source in sources if distribution() in source.uri] or sources


def suite_sources(suite: str) -> list[Source]:
    """Another suite (such as `sid`) on the mirror that this Debian machine uses."""
    if distribution() != "debian":
        raise PackageError(f"only Debian's mirrors carry {suite}, and this machine is {distribution()}")
    mirrors = [s.uri for s in machine_sources() if "-" not in s.suite]
    if not mirrors:
        raise PackageError("this machine's apt configuration names no mirror of a whole release")
    return [Source(mirrors[0], suite)]


def run(argv: Sequence[str], timeout_s: float) -> str:
    """What a command printed. Raises PackageError, with apt's own words where there are any."""
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
    """The distribution's own keys; None leaves the choice to the machine's trusted keys."""
    names = [f"/usr/share/keyrings/{distribution()}-archive-keyring.{end}" for end in ("gpg", "pgp")]
    return next((Path(name) for name in names if Path(name).exists()), None)


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}
