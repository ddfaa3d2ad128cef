"""`extension rotate` and `extension show`: who sees a SIP password, and what stays valid."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.integration.db.test_secret_life import FURTHER, auths
from tests.support.command_line import ROOT, Done, environment, in_this_process, process_environment
from tests.support.database import TestDatabase

Run = Callable[..., Done]


@pytest.fixture
def run(database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, given: bytes = b"", **values: str) -> Done:
        return in_this_process(monkeypatch, capsys, environment(database, **values), *arguments, given=given)

    return run


def on_terminal(database: TestDatabase, typed: str, *arguments: str) -> tuple[int, str]:
    """A command whose standard input and error are a terminal, on which somebody types. Returns standard output."""
    terminal, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", *arguments],
            cwd=ROOT,
            env=process_environment(environment(database)),
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
        )
        os.write(terminal, typed.encode())
        out, _ = process.communicate(timeout=30)
        return process.returncode, out
    finally:
        os.close(terminal)
        os.close(theirs)


def disclosed(database: TestDatabase) -> list[str]:
    rows = asyncio.run(database.rows("select subject, actor_kind from audit where action = 'secret.disclosed'"))
    assert {row["actor_kind"] for row in rows} <= {"command_line"}
    return [row["subject"] for row in rows]


def passwords(database: TestDatabase, endpoint: str = "12342") -> list[str]:
    return asyncio.run(auths(database))[endpoint]


def test_a_rotation_keeps_the_former_password_valid_and_says_until_when(run: Run, database: TestDatabase) -> None:
    done: Any = json.loads(run("--json", "extension", "rotate", "12342").stdout)
    until = done["former_valid_until"]
    assert done["done"] == f"Changed the SIP password of phone 12342. The former one is valid until {until}."
    new, former = passwords(database)
    assert former == SIP_PASSWORD != new
    again = run("extension", "rotate", "12342")
    assert (again.returncode, f"is valid until {until[:19]}Z: rotate then, or" in again.stderr) == (1, True)
    at_once = run("extension", "rotate", "12342", "--at-once")
    assert at_once.stdout == "Changed the SIP password of phone 12342. The former one has ended.\n"
    (last,) = passwords(database)
    assert last not in (new, former)


def test_a_further_phone_is_named_by_its_id(run: Run, database: TestDatabase) -> None:
    asyncio.run(database.execute(FURTHER))
    shown: Any = json.loads(run("--json", "extension", "show", "12342.desk").stdout)
    own, desk = shown["phones"]
    assert (shown["extension"], own["endpoint"], desk["auth_username"]) == ("12342", "12342", "desk")
    assert run("extension", "rotate", "12342", "--phone", str(desk["phone_id"]), "--at-once").returncode == 0
    assert passwords(database) == [SIP_PASSWORD]
    assert passwords(database, "12342.desk") != ["a^20secret^20of^20the^20desk"]
    other = run("extension", "rotate", "12343", "--phone", str(desk["phone_id"]))
    assert (other.returncode, "12343 has no phone" in other.stderr) == (1, True)


def test_an_extension_is_shown_without_its_passwords(run: Run, database: TestDatabase) -> None:
    shown = run("extension", "show", "12342").stdout
    assert shown.splitlines()[0] == "Extension 12342 on call server main of dnhai."
    assert SIP_PASSWORD not in shown
    assert " set " in shown
    assert disclosed(database) == []
    done = run("extension", "show", "nowhere")
    assert (done.returncode, done.stderr) == (1, "error: there is no extension 'nowhere'\n")


def test_without_a_terminal_passwords_are_shown_only_with_yes(run: Run, database: TestDatabase) -> None:
    refused = run("extension", "show", "12342", "--password", given=b"12342\n")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "error: this needs a confirmation on a terminal, or the option --yes\n"
    assert disclosed(database) == []
    shown: Any = json.loads(run("--json", "extension", "show", "12342", "--password", "--yes").stdout)
    assert [phone["password"] for phone in shown["phones"]] == [SIP_PASSWORD]
    assert disclosed(database) == ["12342"]


@pytest.mark.parametrize(("typed", "code"), [("12342\n", 0), ("yes\n", 1), ("\n", 1), ("12343\n", 1)])
def test_on_a_terminal_the_number_is_typed_to_see_a_password(database: TestDatabase, typed: str, code: int) -> None:
    status, shown = on_terminal(database, typed, "extension", "show", "12342", "--password")
    assert (status, SIP_PASSWORD in shown) == (code, code == 0)
    assert disclosed(database) == ["12342"] * (code == 0)


def test_the_password_of_one_phone_is_shown_alone(run: Run, database: TestDatabase) -> None:
    asyncio.run(database.execute(FURTHER))
    phones: Any = json.loads(run("--json", "extension", "show", "12342").stdout)["phones"]
    one = ("extension", "show", "12342", "--password", "--yes", "--phone")
    shown: Any = json.loads(run("--json", *one, str(phones[1]["phone_id"])).stdout)
    assert [phone["password"] for phone in shown["phones"]] == ["set", "a secret of the desk"]
    assert disclosed(database) == ["12342.desk"]
    assert run(*one, "0").returncode == 1


def test_a_phone_without_a_password_and_one_that_no_key_opens_are_told_apart(run: Run, database: TestDatabase) -> None:
    asyncio.run(database.execute(FURTHER))
    asyncio.run(database.execute("update phones set secret = null where endpoint = '12342'"))
    asyncio.run(
        database.execute(
            "create extension if not exists pgcrypto schema public; "
            "update phones set secret = null, sealed = 'no', sealed_with = '00000000' where endpoint = '12342.desk'"
        )
    )
    shown: Any = json.loads(run("--json", "extension", "show", "12342", "--password", "--yes").stdout)
    assert [phone["password"] for phone in shown["phones"]] == ["none", "unreadable"]
    assert disclosed(database) == []


def test_a_new_login_password_says_which_sip_passwords_it_changed(run: Run, database: TestDatabase) -> None:
    asyncio.run(database.execute(FURTHER))
    done = run("user", "passwd", "dnhai", given=b"a new password\n")
    changed = "Changed the SIP passwords of 12342 and 12342.desk."
    assert done.stdout == f"Changed the password of dnhai. {changed}\n"
    assert SIP_PASSWORD not in passwords(database)
    nobody: Any = json.loads(run("--json", "user", "passwd", "nophone", given=b"a new password\n").stdout)
    assert (nobody["done"], nobody["rotated"]) == ("Changed the password of nophone.", [])
