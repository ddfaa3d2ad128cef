"""Finds a Python that the simulation can use: 3.12 or newer, the machine's or Debian's package in the cache.

A package's interpreter runs through its own dynamic loader. A script beside it names the loader, so that
`sys.executable` is a program that starts, for virtual environments and for child processes. Only the standard library
is used: this runs before there is a Python environment.

    python3 -m local.newer_python
"""

import shutil
import subprocess
import sys
from pathlib import Path

from local import debian
from local.bootstrap import say
from local.cache import cache_dir, exclusive_lock

OLDEST = (3, 12)
NAMES = ("python3.14", "python3.13", "python3.12")
SUITE = "trixie"
PACKAGES = ("python3.13", "python3-pip-whl", "ca-certificates")
SCRIPT = """#!/bin/sh
exec "{loader}" --argv0 "$0" --library-path "{libraries}" "{program}" "$@"
"""


def find() -> Path:
    """The interpreter. Raises PackageError if the machine has none and Debian's mirror cannot be reached."""
    if sys.version_info >= OLDEST:  # mypy assumes the oldest supported Python
        return Path(sys.executable)
    return machine() or extracted()


def machine() -> Path | None:
    """The machine's own. Its virtual environments work without ensurepip, see `local/bootstrap.py`."""
    found = (shutil.which(name) for name in NAMES)
    return next((Path(path) for path in found if path and _starts(path)), None)


def _starts(path: str) -> bool:
    """Whether it runs and can make environments: a version manager's stand-in may refuse, a package may lack parts."""
    done = subprocess.run([path, "-c", "import ssl, venv"], capture_output=True, timeout=30, check=False)
    return done.returncode == 0


def extracted() -> Path:
    """Debian's package, downloaded on first use, with the script that starts it."""
    root = debian.extract(PACKAGES, cache_dir() / f"python-{SUITE}", SUITE, say=say)
    script = root / "usr/bin/python3.13-loaded"
    with exclusive_lock(root.with_name(f".{root.name}.script.lock")):
        text = _script(root)
        if not script.exists() or script.read_text() != text:
            made = script.with_suffix(".new")
            made.write_text(text)
            made.chmod(0o755)
            made.replace(script)
    return script


def _script(root: Path) -> str:
    loader = next(root.glob("usr/lib/*-linux-*/ld-linux-*.so.*"), None)
    if loader is None:
        raise debian.PackageError(f"{root} holds no dynamic loader; remove it to have it fetched again")
    return SCRIPT.format(loader=loader, libraries=loader.parent, program=root / "usr/bin/python3.13")


def main() -> int:
    try:
        print(find())
    except (debian.PackageError, OSError) as error:
        print(f"error: no Python {OLDEST[0]}.{OLDEST[1]} or newer is on this machine, and {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
