"""Commands on an imported call server: what Asterisk owns is refused, and what stays valid there is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.support.command_line import Done, environment, in_this_process
from tests.support.database import TestDatabase
from tests.support.imported import DESK_SECRET, PBX, SECRETS, import_alice, secrets_of

STAYS = (
    "The SIP passwords of alice.desk and alice stay valid in Asterisk (call server pbx) until they are changed there."
)
UNREVOKED = [{"call_server": "pbx", "endpoint": "alice.desk"}, {"call_server": "pbx", "endpoint": "alice"}]
Run = Callable[..., Done]


@pytest.fixture
def run(database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with both call servers, after an import."""
    asyncio.run(import_alice(database))

    def running(*arguments: str, given: bytes = b"", **values: str) -> Done:
        variables = environment(database, **{**PBX, **values})
        done = in_this_process(monkeypatch, capsys, variables, *arguments, given=given)
        assert not [secret for secret in SECRETS.values() if secret in done.stdout + done.stderr]
        return done

    return running


REFUSED: Mapping[tuple[str, ...], str] = {
    ("create", "70001", "--call-server", "pbx"): "create the endpoint in its configuration, then {}",
    ("rotate", "1005"): "change the SIP password in its configuration, then {}",
    ("delete", "1005"): "delete the endpoint in its configuration, then {} --remove-gone",
}


@pytest.mark.parametrize("arguments", REFUSED)
@pytest.mark.parametrize("by", ["both", "settings", "database"])
def test_what_asterisk_owns_is_refused_with_the_place_where_it_is_changed(
    run: Run, database: TestDatabase, arguments: tuple[str, ...], by: str
) -> None:
    if by == "settings":
        asyncio.run(database.execute("update call_servers set credentials = 'managed'"))
    values = {"CALL_SERVERS__PBX__CREDENTIALS": "managed"} if by == "database" else {}
    done = run("extension", *arguments, **values)
    remedy = REFUSED[arguments].format("run extension import --call-server pbx --from-ami USER --apply")
    error = f"Asterisk owns the endpoints of call server pbx: {remedy}"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {error}\n")
    done = run("--json", "extension", *arguments, **values)
    assert (done.returncode, json.loads(done.stderr)) == (1, {"error": error})
    assert asyncio.run(secrets_of(database)) == SECRETS
    rows = asyncio.run(database.rows("select extension from extensions where call_server = 'pbx'"))
    assert [row["extension"] for row in rows] == ["1005"]


CHANGES: Mapping[tuple[str, ...], str] = {
    ("extension", "disable", "1005"): "Disabled extension 1005.",
    ("extension", "disable", "alice"): "Disabled extension 1005.",
    ("extension", "unassign", "alice.desk"): "Unassigned extension 1005.",
    ("user", "deactivate", "nophone"): "Deactivated user nophone.",
    ("user", "delete", "nophone"): "Deleted user nophone.",
    ("user", "passwd", "nophone"): "Changed the password of nophone.",
}


@pytest.mark.parametrize("arguments", CHANGES)
def test_a_change_does_its_part_and_says_what_stays_valid(
    run: Run, database: TestDatabase, arguments: tuple[str, ...]
) -> None:
    done = run(*arguments, given=b"a new password\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{CHANGES[arguments]} {STAYS}\n", "")
    assert asyncio.run(secrets_of(database)) == SECRETS


@pytest.mark.parametrize("arguments", [each for each in CHANGES if each[1] != "delete"])
def test_programs_read_what_stays_valid_as_a_list(run: Run, arguments: tuple[str, ...]) -> None:
    told: Any = json.loads(run("--json", *arguments, given=b"a new password\n").stdout)
    assert told["unrevoked"] == UNREVOKED


def test_an_extension_that_is_assigned_keeps_the_password_that_others_may_know(run: Run) -> None:
    run("extension", "unassign", "1005")
    done = run("extension", "assign", "alice", "admin")
    assert done.stdout == f"Assigned extension 1005 to admin. {STAYS}\n"


def test_one_endpoint_is_told_in_the_singular(run: Run, database: TestDatabase) -> None:
    asyncio.run(database.execute("delete from phones where endpoint = 'alice.desk'"))
    stays = "The SIP password of alice stays valid in Asterisk (call server pbx) until it is changed there."
    assert run("extension", "disable", "1005").stdout == f"Disabled extension 1005. {stays}\n"
    assert run("extension", "enable", "1005").stdout == "Enabled extension 1005.\n"


def test_what_is_ours_is_done_as_before(run: Run, database: TestDatabase) -> None:
    before = asyncio.run(secrets_of(database, "main"))
    rotated = "Changed the SIP password of phone 12342. The former one is valid until "
    assert run("extension", "rotate", "12342").stdout.startswith(rotated)
    assert run("extension", "unassign", "12342").stdout == "Unassigned extension 12342.\n"
    assert run("user", "deactivate", "dnhai").stdout == "Deactivated user dnhai.\n"
    assert json.loads(run("--json", "extension", "disable", "12343").stdout)["unrevoked"] == []
    assert asyncio.run(secrets_of(database, "main"))["12342"] != before["12342"]
    assert run("extension", "delete", "12343").stdout == "Deleted extension 12343.\n"


@pytest.mark.parametrize("command", ["rotate", "delete"])
def test_what_may_mean_one_of_several_phones_takes_the_number_alone(
    run: Run, database: TestDatabase, command: str
) -> None:
    further = (
        "insert into phones (call_server, endpoint, extension, auth_username, secret) "
        "values ('main', '12342.k3f9', '12342', '12342.k3f9', 'a secret of the desk')"
    )
    asyncio.run(database.execute(further))
    done = run("extension", command, "12342.k3f9")
    error = "error: 12342.k3f9 is an endpoint of extension 12342: name the extension\n"
    assert (done.returncode, done.stderr) == (1, error)
    assert asyncio.run(secrets_of(database, "main"))["12342.k3f9"] == DESK_SECRET


def test_an_endpoint_of_two_extensions_is_not_guessed(run: Run, database: TestDatabase) -> None:
    twin = (
        "insert into phones (call_server, endpoint, extension, auth_username, secret) "
        "values ('main', 'alice', '12342', 'alice', 'a secret of the desk')"
    )
    asyncio.run(database.execute(twin))
    done = run("extension", "disable", "alice")
    error = "error: endpoint 'alice' belongs to extensions 1005, 12342: name one of them\n"
    assert (done.returncode, done.stderr) == (1, error)
    for name in ("alice-login", "al\x00ice", "alice\r\n", "a;b^c,'\"ü"):
        done = run("extension", "disable", name)
        assert (done.returncode, done.stderr) == (1, f"error: there is no extension {name!r}\n")


def test_the_demo_goes_to_a_managed_call_server(run: Run, database: TestDatabase) -> None:
    asyncio.run(database.execute("truncate users, extensions cascade"))
    values = {f"CALL_SERVERS__MAIN__{name}": "" for name in ("DATABASE_ROLE", "DATABASE_PASSWORD")}
    refused = run("demo", **values, CALL_SERVERS__MAIN__CREDENTIALS="imported")
    error = "error: the demo data needs a call server in the settings whose CREDENTIALS are managed\n"
    assert (refused.returncode, refused.stderr) == (2, error)
    first = {name.replace("__PBX__", "__EAST__"): value for name, value in PBX.items()}
    assert run("demo", **first).returncode == 0
    rows = asyncio.run(database.rows("select distinct call_server from extensions"))
    assert [row["call_server"] for row in rows] == ["main"]
