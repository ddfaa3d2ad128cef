"""Creates the Python environment from nothing but python3: a virtual environment with the packages of a lock file.

Debian's python3 may lack ensurepip. pip is then extracted from the distribution's package, without root. pip's
configuration decides where packages come from. Only the standard library is used.

    python3 local/bootstrap.py [LOCK_FILE]

The variable VENV chooses the environment's folder, by default .venv beside the Makefile.
"""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # run by path, before anything is installed
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local import debian
from local.cache import cache_dir, exclusive_lock
from local.progress import progress

PROJECT = Path(__file__).resolve().parent.parent
RUNTIME_LOCK = PROJECT / "requirements.lock"
DEV_LOCK = PROJECT / "requirements-dev.lock"

SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
STAMP = ".installed-locks"


class BootstrapError(Exception):
    """The environment could not be created. The message says why."""


def venv_dir() -> Path:
    """`VENV`, or .venv in the working tree."""
    return Path(os.environ.get("VENV") or PROJECT / ".venv").absolute()


def venv_python() -> Path:
    return venv_dir() / "bin" / "python"


def ensure(lock: Path) -> Path:
    """Install the packages of `lock` into the environment unless they are there; return its interpreter."""
    venv = venv_dir()
    venv.parent.mkdir(parents=True, exist_ok=True)
    if _works(venv) and _digest(lock) in _installed(venv):
        return venv_python()
    with exclusive_lock(venv.with_name(f"{venv.name}.lock")):
        if not _works(venv):
            _make(venv)
        if _digest(lock) not in _installed(venv):
            say(f"installing what {lock.name} names into {venv}")
            pip("install", "--require-hashes", "--requirement", str(lock))
            # The development lock contains the runtime lock, in the same versions.
            done = {_digest(lock)} | ({_digest(RUNTIME_LOCK)} if lock == DEV_LOCK else set())
            (venv / STAMP).write_text("".join(f"{digest}\n" for digest in sorted(_installed(venv) | done)))
    return venv_python()


def pip(*arguments: str) -> None:
    """Run pip in the environment and report its downloads. Raises BootstrapError with pip's output."""
    command, environment = _pip_command()
    with subprocess.Popen(
        [*command, "--disable-pip-version-check", "--no-input", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        output = [""]
        with progress(say, lambda: pip_step(output[-1])):
            for line in process.stdout or ():
                output.append(line)
                if download := download_line(line):
                    say(f"  {download}")
    if process.returncode:
        raise BootstrapError("pip failed:\n" + "".join(output[-20:]))


def download_line(line: str) -> str | None:
    """The download that a line of pip's output reports, as `asyncpg-0.32.0 (3.4 MB)`, or None."""
    found = re.match(r"\s*Downloading (?:\S*/)?([^/\s-]+-[^/\s-]+)\S* (\([\d.]+ [kMG]?B\))", line)
    return f"{found[1]} {found[2]}" if found and ".metadata" not in line else None


def pip_step(line: str) -> str:
    """The step that pip is in after it printed this line."""
    return "installing" if line.startswith("Installing collected packages") else "collecting packages"


def say(text: str) -> None:
    print(f"setup    | {text}", file=sys.stderr, flush=True)


def _make(venv: Path) -> None:
    have_pip = importlib.util.find_spec("ensurepip") is not None
    say(f"making a Python {sys.version_info.major}.{sys.version_info.minor} environment in {venv}")
    command = [sys.executable, "-m", "venv", "--clear", *([] if have_pip else ["--without-pip"]), str(venv)]
    with progress(say, lambda: "making the environment"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BootstrapError(f"python3 -m venv failed: {(done.stderr or done.stdout).strip()}")


def _works(venv: Path) -> bool:
    """Whether the interpreter starts. It is a symbolic link, whose target an upgrade may have removed."""
    command = [str(venv / "bin/python"), "-c", "import sys; print(sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.strip() == str(sys.version_info[:2])


def _pip_command() -> tuple[Sequence[str], dict[str, str]]:
    """The command for pip, and additions to its environment variables."""
    python = str(venv_python())
    if subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 0:
        return [python, "-m", "pip"], {}
    root = Path(sys.base_prefix).parent  # an extracted Python brings the pip that fits it
    wheel = _pip_wheel(root)
    if wheel is None:
        root = cache_dir() / "pip"
        debian.extract(["python3-pip-whl", "ca-certificates"], root, say=say)
        wheel = _pip_wheel(root)
    if wheel is None:
        raise BootstrapError(f"the package python3-pip-whl holds no pip wheel (looked in {root})")
    command = [python, f"{wheel}/pip"]
    configured = subprocess.run([*command, "config", "list"], capture_output=True, text=True, check=False)
    return command, {} if ".cert=" in configured.stdout else _certificates(root)


def _pip_wheel(root: Path) -> Path | None:
    """Debian's wheel of pip below a root, if its package is there."""
    return next((root / "usr/share/python-wheels").glob("pip-*.whl"), None)


def _certificates(root: Path) -> dict[str, str]:
    """Debian's pip trusts the machine's certificates, which a minimal machine may lack."""
    if SYSTEM_CERTIFICATES.exists() or "PIP_CERT" in os.environ:
        return {}
    bundle = root / "ca-certificates.crt"
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle.write_bytes(b"".join(authority.read_bytes() for authority in authorities))
    return {"PIP_CERT": str(bundle)}


def _installed(venv: Path) -> set[str]:
    try:
        return set((venv / STAMP).read_text().split())
    except FileNotFoundError:
        return set()


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def main() -> int:
    # mypy assumes the oldest supported Python. This check is for older ones.
    if sys.version_info < (3, 11):  # noqa: UP036
        print("error: Python 3.11 or newer is needed; name one with PYTHON=python3.12", file=sys.stderr)
        return 1
    try:
        ensure(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else RUNTIME_LOCK)
    except (BootstrapError, debian.PackageError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # the next start repeats what is incomplete
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
