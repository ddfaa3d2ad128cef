"""PostgreSQL's own programs `pg_dump` and `pg_restore`: finds one that is new enough, and runs it as the owner.

The password is in the program's environment, never in its arguments.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from service.errors import ConfigurationError, Refused
from service.settings import Settings

DEBIANS = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each major version; those on its PATH may be of an older one."""
PIECE = 1 << 16
_VERSION = re.compile(rb"\(PostgreSQL\) (\d+)")
_ERROR = re.compile(r"(?m)^pg_\w+: error: (.*)$")
_VALUE = re.compile(r'(ERROR:.*?): ".*')


@dataclass(frozen=True)
class Program:
    """A program that runs on this machine."""

    path: Path
    major: int
    """Its major version."""


async def find(name: str, major: int) -> Program:
    """Return a program of this major version or newer, on PATH or where Debian has it. Raises ConfigurationError."""
    found: list[Program] = []
    for path in _candidates(name):
        if (version := await _major(path)) is not None:
            found.append(Program(path, version))
            if version >= major:
                return found[-1]
    package = f"install PostgreSQL's client programs, version {major} or newer (Debian: postgresql-client-{major})"
    if not found:
        raise ConfigurationError(f"there is no {name} on PATH: {package}")
    newest = max(found, key=lambda program: program.major)
    raise ConfigurationError(f"{newest.path} has version {newest.major}, and version {major} is needed: {package}")


def _candidates(name: str) -> Iterator[Path]:
    if on_path := shutil.which(name):
        yield Path(on_path)
    folders = [folder for folder in DEBIANS.glob("*/bin") if folder.parent.name.isdecimal()]
    for folder in sorted(folders, key=lambda each: int(each.parent.name), reverse=True):
        if (folder / name).exists():
            yield folder / name


async def _major(path: Path) -> int | None:
    try:
        process = await asyncio.create_subprocess_exec(path, "--version", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        return None
    out, _ = await process.communicate()
    version = _VERSION.search(out)
    return int(version[1]) if version else None


async def run(
    program: Program,
    arguments: Sequence[str],
    settings: Settings,
    *,
    source: IO[bytes] | None = None,
    target: IO[bytes] | None = None,
) -> None:
    """Run a program as the owner, from a file to a file. Raises Refused with its first error, without any row."""
    command = [str(program.path), "--no-password", *arguments, f"--dbname={settings.owner_database_url}"]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(settings),
        stdin=DEVNULL if source is None else PIPE,
        stdout=DEVNULL if target is None else target,
        stderr=PIPE,
    )
    try:
        feeding = asyncio.create_task(_feed(process, source), name="feed")
        assert process.stderr is not None
        said = await process.stderr.read()
        await process.wait()
        await feeding
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Refused(f"{program.path.name} failed: {first_error(said.decode(errors='replace'))}")


def _environment(settings: Settings) -> dict[str, str]:
    """The environment of a program, without other secrets of the service. Its messages are in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_", "LC_"))}
    password = settings.owner_database_password
    return {
        **kept,
        **({"PGPASSWORD": password.get_secret_value()} if password is not None else {}),
        "PGAPPNAME": "asterisk-connector backup",
        "PGTARGETSESSIONATTRS": "primary",
        "PGCONNECT_TIMEOUT": "10",
        "LC_ALL": "C.UTF-8",
    }


async def _feed(process: asyncio.subprocess.Process, source: IO[bytes] | None) -> None:
    if source is None or process.stdin is None:
        return
    with contextlib.suppress(ConnectionError):  # it has ended, and its exit code says why
        while piece := source.read(PIECE):
            process.stdin.write(piece)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


def first_error(said: str) -> str:
    """Return a program's first error message. What it quotes of a row, or of a connection's values, is left out."""
    found = _ERROR.search(said)
    return _VALUE.sub(r"\1", found[1])[:300] if found else "it did not say why"
