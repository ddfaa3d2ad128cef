"""The data folder of `make run`: a lock, and the secrets, ports and settings that it keeps from run to run."""

import contextlib
import fcntl
import json
import os
import secrets
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from local.bootstrap import PROJECT

ENV_FILE = "service.env"


class InUseError(Exception):
    """Another process uses this data folder."""


def data_dir() -> Path:
    """`DATA_DIR`, or data/ in the working tree."""
    return Path(os.environ.get("DATA_DIR") or PROJECT / "data").absolute()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder for this process. Raises InUseError if another process has it. The lock ends with the process."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(f"{folder} is in use by another `make run`; DATA_DIR names another one") from None
        yield


def load_or_create_secrets(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The named secrets. Those that do not exist yet are created at random."""
    file = folder / "secrets.json"
    known = _read(file)
    wanted = {name: str(known.get(name) or secrets.token_urlsafe(24)) for name in names}
    if known != known | wanted:
        write_secret(file, json.dumps(known | wanted, indent=2))
    return wanted


def load_ports(folder: Path) -> dict[str, int]:
    """The ports of the last run, to be used again where they are free."""
    return {name: int(str(port)) for name, port in _read(folder / "ports.json").items()}


def save_ports(folder: Path, ports: Mapping[str, int]) -> None:
    (folder / "ports.json").write_text(json.dumps(dict(ports), indent=2))


def write_env(folder: Path, settings: Mapping[str, str]) -> None:
    """Write the service's settings as lines that a shell can read too."""
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    write_secret(folder / ENV_FILE, "".join(lines))


def read_env(folder: Path) -> dict[str, str]:
    """The settings that `write_env` wrote. Raises FileNotFoundError before the first run."""
    words = shlex.split((folder / ENV_FILE).read_text())
    return dict(word.split("=", 1) for word in words)


def write_secret(path: Path, text: str) -> None:
    """Write a file atomically. Only its owner can ever read it."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.rename(path)


def _read(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    return dict(found)
