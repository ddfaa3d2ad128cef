"""Finds an Asterisk: the machine's own, or packages in the cache that run through their own dynamic loader."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local import bootstrap, debian
from local.cache import cache_dir

OLDEST_MAJOR = 20
# The SIP client of `make phone` is in the same tree: the two share most dependencies.
PACKAGES = ("asterisk", "baresip-core")
TEMPLATES = bootstrap.PROJECT / "asterisk"


class AsteriskError(Exception):
    """Asterisk could not be found, started or queried. The message says why."""


@dataclass(frozen=True)
class Programs:
    """The command that starts an Asterisk, and the two folders that its configuration must name."""

    command: tuple[str, ...]
    modules: Path
    data: Path
    version: str


@functools.cache
def find() -> Programs:
    """The machine's Asterisk if it is recent enough and has every module, else an extracted one."""
    return machine() or extracted()


def machine() -> Programs | None:
    program = shutil.which("asterisk", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    modules = next((folder for folder in _machine_modules() if _has_all_modules(folder)), None)
    data = [Path("/usr/share/asterisk"), Path("/var/lib/asterisk"), Path("/usr/local/share/asterisk")]
    documented = next((folder for folder in data if (folder / "documentation").is_dir()), None)
    if program is None or modules is None or documented is None:
        return None
    version = _version((program,))
    major = re.search(r"\d+", version)
    if major is None or int(major[0]) < OLDEST_MAJOR:
        return None
    return Programs((program,), modules, documented, version)


def extracted(suite: str | None = None) -> Programs:
    """Debian's or Ubuntu's package. Debian's default is sid, because its releases have no Asterisk."""
    root = packages_root(suite)
    command = (*loader(root), str(root / "usr/sbin/asterisk"))
    modules = next(root.glob("usr/lib/*/asterisk/modules"), root / "usr/lib/asterisk/modules")
    return Programs(command, modules, root / "usr/share/asterisk", _version(command))


def packages_root(suite: str | None = None) -> Path:
    """The folder with the extracted packages, downloaded on first use. Raises AsteriskError."""
    if suite is None and debian.distribution() == "debian":
        suite = "sid"
    packages = PACKAGES if suite in (None, "sid") else ("asterisk",)
    root = cache_dir() / f"asterisk-{suite or 'own'}"
    try:
        return debian.extract(packages, root, suite, say=bootstrap.say)
    except (debian.PackageError, OSError) as error:
        raise AsteriskError(f"no Asterisk {OLDEST_MAJOR} or newer is on this machine, and {error}") from error


def loader(root: Path) -> tuple[str, ...]:
    """The command prefix with which a program of `root` runs with the libraries that it was built with."""
    patterns = ("usr/lib/*-linux-*/ld-linux-*.so.*", "lib/*-linux-*/ld-linux-*.so.*")
    found = next((path for pattern in patterns for path in root.glob(pattern)), None)
    if found is None:
        raise AsteriskError(f"{root} holds no dynamic loader; remove it to have it fetched again")
    triplet = found.parent.name
    libraries = (root / "usr/lib" / triplet, root / "lib" / triplet, root / "usr/lib")
    return (str(found), "--library-path", ":".join(str(path) for path in libraries))


def _machine_modules() -> Iterator[Path]:
    for base in (Path("/usr"), Path("/usr/local")):
        yield from base.glob("lib*/asterisk/modules")
        yield from base.glob("lib/*-linux-*/asterisk/modules")


def _has_all_modules(folder: Path) -> bool:
    wanted = re.findall(r"^load = (\S+)", (TEMPLATES / "etc/modules.conf").read_text(), re.MULTILINE)
    return all((folder / name).exists() for name in wanted)


def _version(command: tuple[str, ...]) -> str:
    """The version, such as `Asterisk 22.10.1`; empty if the program does not run."""
    try:
        done = subprocess.run([*command, "-V"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
