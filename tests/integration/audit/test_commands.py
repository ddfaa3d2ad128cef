"""Every command of the command line: the audit rows that it leaves, who is named in them, and no secret in them."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import pwd
import socket
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from service import logs
from service.cli import main, parser
from tests.support.command_line import environment, with_programs
from tests.support.database import TestDatabase, cloned
from tests.support.imported import PBX

PASSWORD, SIP_PASSWORD, KEY = "a typed password 1", "a typed SIP password 1", "5ec4e7" * 10 + "5ec4"
CSV = f"extension,endpoint,secret\n7001,desk,{SIP_PASSWORD}\n"


@dataclass(frozen=True)
class Case:
    """A command, what is typed into it, and the actions that it leaves."""

    words: str
    leaves: tuple[str, ...] = ()
    given: str = ""

    @property
    def name(self) -> str:
        """The command without its arguments."""
        first, second, *_ = (*self.words.split(), "")
        return f"{first} {second}" if first in GROUPS else first


GROUPS = ("user", "extension", "phone", "token", "board", "audit", "secrets")
NOT_HERE = {"serve", "worker", "collector", "check", "status", "setup", "restore"}
"""The service itself, commands that change nothing, and those that need a database which is empty or not there yet."""
CASES = (
    Case("migrate"),
    Case("demo"),  # which is there: a repetition changes nothing
    Case("user create grace --email grace@example.com", ("user.created",), PASSWORD),
    Case("user passwd grace", ("user.password",), PASSWORD),
    Case("user auth-ip grace 127.0.0.1", ("user.networks",)),
    Case("user deactivate grace", ("user.deactivated",)),
    Case("user activate grace", ("user.activated",)),
    Case("user show grace"),
    Case("user list"),
    Case("token issue grace --label mine", ("token.issued",)),
    Case("token list"),
    Case("token revoke --user grace", ("token.revoked",)),
    Case("board code admin --label lobby", ("board.code",)),
    Case("extension create 500 --password-stdin --call-server main", ("extension.created",), SIP_PASSWORD),
    Case("extension assign 500 grace", ("extension.assigned",)),
    Case("extension show 500"),
    Case("extension show 500 --password --yes", ("secret.disclosed",)),
    Case("extension rotate 500", ("phone.rotated",)),
    Case("phone create grace --kind linphone", ("phone.created", "phone.setup")),
    Case("phone list 500"),
    Case("phone setup PHONE", ("phone.setup",)),
    Case("phone rotate PHONE", ("phone.rotated",)),
    Case("phone delete PHONE", ("phone.deleted",)),
    Case("extension disable 500", ("extension.disabled",)),
    Case("extension enable 500", ("extension.enabled",)),
    Case("extension unassign 500", ("extension.unassigned",)),
    Case("extension list"),
    Case("extension import --call-server pbx --from-csv FILE"),  # the plan alone
    Case("extension import --call-server pbx --from-csv FILE --apply", ("extension.imported",)),
    Case("extension import --call-server pbx --from-csv FILE --apply"),  # a repetition changes nothing
    Case("extension delete 500", ("extension.deleted",)),
    Case("secrets key main"),
    Case("secrets rekey --call-server main --unchecked", ("secrets.rekeyed",)),
    Case("secrets status"),
    Case("backup FOLDER", ("backup.made",)),
    Case("user delete grace", ("user.deleted",)),
    Case("audit list"),
    Case("audit prune --keep-days 30", ("audit.pruned",)),
)
"""In the order in which they run: each finds what those before it left."""


@dataclass
class Run:
    """What all commands left, and what they printed."""

    rows: list[list[asyncpg.Record]]
    printed: list[str]


@pytest.fixture(scope="module")
def run(template: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run all commands, one after another."""
    file = tmp_path_factory.mktemp("csv") / "pbx.csv"
    file.write_text(CSV)
    patch = pytest.MonkeyPatch()
    with cloned(template) as database, patch.context() as patched:
        variables = environment(database, SECRETS_KEY=KEY, PUBLIC_URL="https://phone.example.com", **PBX)
        patched.setenv("PATH", with_programs(database)["PATH"])
        yield _run_all(database, variables, file, patched)


def _run_all(database: TestDatabase, variables: dict[str, str], file: Path, patch: pytest.MonkeyPatch) -> Run:
    patch.setattr(logs, "configure", lambda *_, **__: None)  # it would change this process's logging for good
    for name, value in variables.items():
        patch.setenv(name, value)
    made = Run([], [])
    for case in CASES:
        newest = asyncio.run(database.rows("select coalesce(max(audit_id), 0) as id from audit"))[0]["id"]
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{case.given}\n".encode())))
        with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
            stand_ins = {"FILE": str(file), "FOLDER": str(file.parent), "PHONE": _newest_phone(database)}
            code = main([stand_ins.get(word, word) for word in case.words.split()])
        assert code == 0, (case.words, printed.getvalue())
        made.printed.append(printed.getvalue())
        made.rows.append(asyncio.run(database.rows("select * from audit where audit_id > $1 order by 1", newest)))
    return made


def _newest_phone(database: TestDatabase) -> str:
    return str(asyncio.run(database.rows("select max(phone_id) as id from phones"))[0]["id"])


def test_every_command_is_here() -> None:
    assert {case.name for case in CASES} == set(_commands()) - NOT_HERE


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.words for case in CASES])
def test_a_command_leaves_the_rows_that_it_must(run: Run, number: int) -> None:
    assert tuple(row["action"] for row in run.rows[number]) == CASES[number].leaves


def test_each_row_names_the_operating_systems_user_and_the_machine(run: Run) -> None:
    name = pwd.getpwuid(os.geteuid()).pw_name
    for row in (row for rows in run.rows for row in rows):
        assert (row["actor_kind"], row["actor_id"], row["address"]) == ("command_line", None, socket.gethostname())
        assert row["actor"].startswith(name)


def test_no_row_holds_what_was_typed_or_made(run: Run) -> None:
    text = str([dict(row) for rows in run.rows for row in rows])
    for secret in (PASSWORD, SIP_PASSWORD, KEY, "$2b$"):
        assert secret not in text
    assert "'count': 1" in text


def test_the_trail_is_printed_without_what_was_typed(run: Run) -> None:
    printed = run.printed[CASES.index(Case("audit list"))]
    assert "user.deleted" in printed
    assert "secrets.rekeyed" in printed
    for secret in (PASSWORD, SIP_PASSWORD, KEY, "$2b$"):
        assert secret not in printed


def _commands() -> Iterator[str]:
    """The names of all commands, from the parser itself."""
    for name, command in _choices(parser()).items():
        inner = _choices(command)
        yield from ([f"{name} {each}" for each in inner] if inner else [name])


def _choices(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    groups = [each for each in of._actions if isinstance(each, argparse._SubParsersAction)]
    return dict(groups[0].choices) if groups else {}
