"""`setup`: the owner's role, its database and generated passwords, on a machine with PostgreSQL of its own."""

from __future__ import annotations

import argparse
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from service.cli.common import add_command
from service.db.database_setup import OwnedDatabase, set_up
from service.domain.models import Credentials
from service.errors import ConfigurationError, Invalid, Refused
from service.settings import Settings, files

ETC = Path("/etc/asterisk-connector")
SUPERUSER, SOCKET_FOLDER = "postgres", "/var/run/postgresql"
PASSWORD_BYTES = 32


def add_to(commands: Any) -> None:
    """Add the command to the command line."""
    more = (
        "It works as a superuser of this machine's PostgreSQL, over its socket, so run it as root or as that user. "
        "Passwords that no setting gives are generated into files that only their owner can read. Safe to repeat. "
        "Then run migrate."
    )
    parser = add_command(commands, "setup", "create the owner's role, its database and passwords", run, more)
    parser.add_argument(
        "--folder", type=Path, default=ETC, metavar="DIR", help=f"folder of the password files; default: {ETC}"
    )
    parser.add_argument(
        "--superuser",
        default=SUPERUSER,
        metavar="ROLE",
        help=f"role that creates the others; root connects as the user of this name; default: {SUPERUSER}",
    )
    parser.add_argument(
        "--socket",
        default=SOCKET_FOLDER,
        metavar="DIR",
        help=f"folder of PostgreSQL's socket; default: {SOCKET_FOLDER}",
    )


@dataclass(frozen=True)
class Password:
    """A password that a setting gives, a file holds, or that is new."""

    setting: str
    file: Path
    value: str
    new: bool

    def __repr__(self) -> str:
        return f"Password({self.setting})"


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Create what is missing. The owner's password is written last: its file says that all of it is done."""
    database = OwnedDatabase.of(settings)
    passwords = list(_passwords(settings, arguments.folder))
    _make_folders(arguments.folder)
    owner = next(each for each in passwords if each.setting == "OWNER_DATABASE_PASSWORD")
    changes = await set_up(database, owner.value, arguments.superuser, arguments.socket)
    for password in sorted(passwords, key=lambda each: each is owner):
        if password.new:
            _write(password)
            changes.append(f"Generated {password.file}.")
    written = [str(each.file) for each in passwords if each.new]
    lines = changes or ["Nothing to do: role, database and passwords exist."]
    arguments.out.report(lines, [], (), {"changes": changes, "files": written, "database": database.name})


def _passwords(settings: Settings, folder: Path) -> Iterator[Password]:
    """The passwords of PostgreSQL's roles: the service's, the owner's, and of each Asterisk that reads the views."""
    yield _password("DATABASE_PASSWORD", settings.database_password, folder / files.SERVICE_SECRETS)
    yield _password("OWNER_DATABASE_PASSWORD", settings.owner_database_password, folder / files.OWNER_SECRETS)
    for name, server in settings.call_servers.items():
        if server.credentials is Credentials.MANAGED and server.database_role:
            setting = f"CALL_SERVERS__{name.upper()}__DATABASE_PASSWORD"
            yield _password(setting, server.database_password, folder / files.OWNER_SECRETS)


def _password(setting: str, given: SecretStr | None, folder: Path) -> Password:
    """Read it from its file if no setting gives it: a process without the package's settings does not know the file."""
    file = folder / setting
    if given is not None:
        return Password(setting, file, given.get_secret_value(), new=False)
    try:
        value = file.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        return Password(setting, file, secrets.token_urlsafe(PASSWORD_BYTES), new=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}") from None
    if not value:
        raise Invalid(f"{file} is empty: write a password into it, or remove it")
    return Password(setting, file, value, new=False)


def _make_folders(folder: Path) -> None:
    """Make the folders of secrets, for the user who runs the command only. Raises Refused, ConfigurationError."""
    for name in (files.SERVICE_SECRETS, files.OWNER_SECRETS):
        path = folder / name
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = path.stat().st_mode
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be made: {error}") from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Refused(f"other users may enter {path}: `chmod 700 {path}` first")


def _write(password: Password) -> None:
    """Write a new file, whole or not at all, that only its owner can read. Raises ConfigurationError."""
    temporary = password.file.with_name(f".{password.file.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{password.value}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(password.file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigurationError(f"{password.file} cannot be written: {error}") from None
