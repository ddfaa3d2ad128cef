"""`setup` on a new PostgreSQL with a socket and peer authentication, as Debian's package makes one."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from local.postgres import Postgres
from local.postgres_binaries import account
from tests.support.command_line import Done, command, in_this_process
from tests.support.database import FAST, MEMORY
from tests.support.database import scratch as scratch_folder


@dataclass
class Machine:
    """A PostgreSQL, its socket, and the role that its own user of the operating system has."""

    server: Postgres
    socket: Path
    superuser: str

    def settings(self, name: str, **values: str) -> dict[str, str]:
        """Settings without a password, for the roles and the database of one test."""
        database = quote(f"db_{name}")
        given = {
            "DATABASE_URL": self.server.url(f"service_{name}", database),
            "OWNER_DATABASE_URL": self.server.url(quote(f"owner_{name}"), database),
            "CALL_SERVERS__MAIN__HOST": "pbx.example.com",
            "CALL_SERVERS__MAIN__AMI_HOST": "127.0.0.1",
            "CALL_SERVERS__MAIN__MONITOR_SECRET": "a-secret",
            "CALL_SERVERS__MAIN__DATABASE_ROLE": f"asterisk_{name}",
            **values,
        }
        return {f"CONNECTOR_{setting}": value for setting, value in given.items()}

    def verifier(self, name: str) -> str:
        """What PostgreSQL has stored of the owner's password."""
        return self.server.sql(f"select rolpassword from pg_authid where rolname = 'owner_{name}'")  # noqa: S608

    def arguments(self, folder: Path) -> list[str]:
        return ["setup", "--folder", str(folder), "--superuser", self.superuser, "--socket", str(self.socket)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = scratch_folder(Path(name))
        (socket := folder / "socket").mkdir()
        socket.chmod(0o777)  # PostgreSQL may run as another user
        options = {**FAST, "unix_socket_directories": str(socket), "log_statement": "all"}
        server = Postgres(folder / "server", options=options)
        with server:
            pass  # makes the cluster
        rules = folder / "server/cluster/pg_hba.conf"
        rules.write_text(f"local all all peer\n{rules.read_text()}")
        user = pwd.getpwuid(account(folder / "server/cluster").get("user") or os.getuid()).pw_name
        with server:
            if user != server.superuser:
                server.sql(f'create role "{user}" superuser login')
            yield Machine(server, socket, user)


@pytest.fixture
def name() -> str:
    return secrets.token_hex(4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "etc"


@dataclass
class Here:
    """Runs a command in this process."""

    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, variables: dict[str, str], *arguments: str) -> Done:
        return in_this_process(self.patch, self.capsys, variables, *arguments)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capsys)


def with_files(variables: dict[str, str], folder: Path) -> dict[str, str]:
    """The settings, and the files that `setup` made."""
    made = {file.name: file for sub in ("secrets", "owner-secrets") for file in (folder / sub).iterdir()}
    return variables | {f"CONNECTOR_{setting}_FILE": str(file) for setting, file in made.items()}


def test_a_new_postgresql_needs_setup_and_migrate_only(machine: Machine, name: str, folder: Path) -> None:
    variables = machine.settings(name)
    done = command(variables, *machine.arguments(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"Created the role owner_{name}.",
        f"Created the database db_{name}.",
        f"Generated {folder}/secrets/DATABASE_PASSWORD.",
        f"Generated {folder}/owner-secrets/CALL_SERVERS__MAIN__DATABASE_PASSWORD.",
        f"Generated {folder}/owner-secrets/OWNER_DATABASE_PASSWORD.",
    ]
    complete = with_files(variables, folder)
    done = command(complete, "migrate")
    assert done.returncode == 0, done.stderr
    for_service = {key: value for key, value in complete.items() if "OWNER" not in key}
    done = command(for_service, "user", "list")
    assert (done.returncode, done.stderr) == (0, "")
    table = json.loads(command(for_service, "check", "--json").stdout)
    assert [row for row in table if row["part"] == "PostgreSQL" and row["verdict"] in ("MISSING", "TOO MUCH")] == []


def test_only_the_owner_of_the_files_can_read_them(machine: Machine, name: str, folder: Path, here: Here) -> None:
    assert here(machine.settings(name), *machine.arguments(folder)).returncode == 0
    paths = [path for sub in ("secrets", "owner-secrets") for path in (folder / sub, *(folder / sub).iterdir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}
    assert len({path.read_text() for path in paths if path.is_file()}) == 3


def test_no_password_is_printed_or_logged(machine: Machine, name: str, folder: Path, here: Here) -> None:
    done = here(machine.settings(name), *machine.arguments(folder))
    log = (machine.server.folder / "postgres.log").read_text()
    assert f"create role owner_{name}" in log
    for file in [*(folder / "secrets").iterdir(), *(folder / "owner-secrets").iterdir()]:
        assert file.read_text().strip() not in done.stdout + done.stderr + log


def test_a_repetition_changes_nothing(machine: Machine, name: str, folder: Path, here: Here) -> None:
    variables = machine.settings(name)
    here(variables, *machine.arguments(folder))
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    verifier = machine.verifier(name)
    for known in (variables, with_files(variables, folder)):  # with the settings of the package or without
        done = here(known, *machine.arguments(folder))
        assert (done.returncode, done.stdout) == (0, "Nothing to do: role, database and passwords exist.\n")
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert machine.verifier(name) == verifier


def test_a_call_server_that_is_added_gets_a_password(machine: Machine, name: str, folder: Path, here: Here) -> None:
    here(machine.settings(name), *machine.arguments(folder))
    east = {"HOST": "east", "AMI_HOST": "east", "MONITOR_SECRET": "x", "DATABASE_ROLE": f"east_{name}"}
    more = machine.settings(name, **{f"CALL_SERVERS__EAST__{setting}": value for setting, value in east.items()})
    done = here(more, *machine.arguments(folder), "--json")
    file = f"{folder}/owner-secrets/CALL_SERVERS__EAST__DATABASE_PASSWORD"
    assert json.loads(done.stdout) == {
        "changes": [f"Generated {file}."],
        "files": [file],
        "database": f"db_{name}",
    }


def test_a_lost_password_of_the_owner_is_replaced(machine: Machine, name: str, folder: Path, here: Here) -> None:
    variables = machine.settings(name)
    here(variables, *machine.arguments(folder))
    (lost := folder / "owner-secrets/OWNER_DATABASE_PASSWORD").unlink()
    done = here(variables, *machine.arguments(folder))
    assert done.stdout.splitlines() == [f"Set the password of the role owner_{name}.", f"Generated {lost}."]
    assert command(with_files(variables, folder), "migrate").returncode == 0


def test_names_that_need_quotes_are_quoted(machine: Machine, folder: Path, here: Here) -> None:
    name = f"ü\"'; {secrets.token_hex(4)}"
    database = quote(f"db_{name}", safe="")
    urls = {"DATABASE_URL": machine.server.url("service", database)}
    urls["OWNER_DATABASE_URL"] = machine.server.url(quote(f"owner_{name}", safe=""), database)
    done = here(machine.settings("quoted", **urls), *machine.arguments(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"db_{name}" in machine.server.sql("select datname from pg_database").splitlines()


def test_a_database_of_somebody_else_is_left_alone(machine: Machine, name: str, folder: Path, here: Here) -> None:
    machine.server.sql(f"create database db_{name}")
    done = here(machine.settings(name), *machine.arguments(folder))
    owner = machine.server.superuser
    assert done.returncode == 1
    assert done.stderr == f"error: the database db_{name} exists and belongs to {owner}, not to owner_{name}\n"
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_superuser_is_not_taken_for_the_owner(machine: Machine, name: str, folder: Path, here: Here) -> None:
    machine.server.sql(f"create role owner_{name} superuser login")
    done = here(machine.settings(name), *machine.arguments(folder))
    assert (done.returncode, "is a superuser" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("values", "code", "told"),
    [
        ({"OWNER_DATABASE_URL": ""}, 2, "CONNECTOR_OWNER_DATABASE_URL is not set"),
        ({"OWNER_DATABASE_URL": "postgresql://owner@db1/connector"}, 2, "names db1: setup works on this machine's"),
        ({"OWNER_DATABASE_URL": "postgresql://127.0.0.1/connector"}, 2, "must name a role and a database"),
        ({"DATABASE_URL": "postgresql://service@127.0.0.1/other"}, 2, "must name the same database"),
    ],
    ids=["no owner", "another machine", "no role", "two databases"],
)
def test_settings_that_cannot_be_set_up_are_refused(
    machine: Machine, name: str, folder: Path, here: Here, values: dict[str, str], code: int, told: str
) -> None:
    done = here(machine.settings(name, **values), *machine.arguments(folder))
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert not folder.exists()


def test_a_missing_postgresql_is_one_line(machine: Machine, name: str, folder: Path, here: Here) -> None:
    empty = machine.socket / "empty"
    done = here(machine.settings(name), *machine.arguments(folder)[:-1], str(empty))
    told = f"error: no PostgreSQL has a socket in {empty} for port {machine.server.port}\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_folders_that_others_may_enter_are_refused(machine: Machine, name: str, folder: Path, here: Here) -> None:
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets").chmod(0o755)
    done = here(machine.settings(name), *machine.arguments(folder))
    assert (done.returncode, done.stderr) == (
        1,
        f"error: other users may enter {folder}/secrets: `chmod 700 {folder}/secrets` first\n",
    )


def test_an_empty_password_file_is_refused(machine: Machine, name: str, folder: Path, here: Here) -> None:
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    (file := folder / "secrets/DATABASE_PASSWORD").touch()
    done = here(machine.settings(name), *machine.arguments(folder))
    assert (done.returncode, done.stderr) == (1, f"error: {file} is empty: write a password into it, or remove it\n")
