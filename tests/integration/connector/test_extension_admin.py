"""Extensions made, changed and removed over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.database import TestDatabase, call_server
from tests.support.server import ADMIN, AGENT_UID, Server, Start, told

PATH = "/api/v1/connector.extension"
FREE = {"extension": "70001", "callServer": "main", "profile": "webrtc", "enabled": True}
Answer = tuple[int, Any]


async def asked(server: Server, what: str, given: Any, headers: dict[str, str] = ADMIN) -> Answer:
    return await told(await server.client.post(f"{PATH}.{what}", json=given, headers=headers))


def failed(error: str) -> dict[str, Any]:
    return {"success": False, "error": error}


async def secret_of(server: Server, number: str = "70001") -> str:
    answer = await server.client.get(f"{PATH}.getDetails", params={"extension": number}, headers=ADMIN)
    return str((await answer.json())["password"])


async def test_an_extension_is_made_changed_and_removed(server: Server) -> None:
    assert await asked(server, "create", {"extension": "70001"}) == (200, {"extension": FREE, "success": True})
    random = await secret_of(server)
    assert len(random) == 32
    assert await asked(server, "update", {"extension": "70001"}) == (200, {"extension": FREE, "success": True})
    assert await secret_of(server) == random
    change = {"extension": "70001", "secret": "se;cr^et 'and more", "profile": "sip"}
    assert await asked(server, "update", change) == (200, {"extension": {**FREE, "profile": "sip"}, "success": True})
    assert await secret_of(server) == change["secret"]
    status, body = await asked(server, "update", {"extension": "70001", "enabled": False})
    assert (status, body["extension"]["enabled"], body["extension"]["profile"]) == (200, False, "sip")
    answer = await server.client.get(f"{PATH}.getDetails", params={"extension": "70001"}, headers=ADMIN)
    assert answer.status == 404
    assert await asked(server, "delete", {"extension": "70001"}) == (200, {"success": True})
    for gone in ("delete", "update"):
        assert await asked(server, gone, {"extension": "70001"}) == (404, failed("Extension not found"))


async def test_whose_it_is_may_be_said_at_once_and_what_they_had_is_free(server: Server) -> None:
    given = {"extension": "70001", "username": "DNHAI", "profile": "sip", "secret": "a secret of mine"}
    shown = {**FREE, "profile": "sip", "userId": AGENT_UID, "username": "dnhai"}
    assert await asked(server, "create", given) == (200, {"extension": shown, "success": True})
    answer = await server.registration()
    details = (await answer.json())["extensionDetails"]
    assert (details["extension"], details["password"]) == ("70001", "a secret of mine")
    status, body = await asked(server, "create", {"extension": "70002", "userId": AGENT_UID})
    assert (status, body["extension"]["username"]) == (200, "dnhai")
    assert (await secret_of(server)) != "a secret of mine", "nobody goes on with what they knew"


async def test_nothing_is_made_for_somebody_unknown(database: TestDatabase, server: Server) -> None:
    for whom in ({"username": "nobody"}, {"userId": "nobody"}, {"username": "a\0"}):
        assert await asked(server, "create", {"extension": "70001", **whom}) == (404, failed("User not found"))
    assert await database.rows("select from extensions where extension = '70001'") == []


async def test_of_ten_who_make_the_same_one_does_and_nine_are_told_what_is_taken(
    database: TestDatabase, start: Start
) -> None:
    servers = [await start(database.settings()) for _ in range(2)]
    made = await asyncio.gather(*(asked(server, "create", {"extension": "70001"}) for server in servers * 5))
    assert sorted(status for status, _ in made) == [200] + [409] * 9
    told = [body for status, body in made if status == 409]
    assert told == [failed("extension already exists 70001")] * 9


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({}, "Missing key 'extension'"),
        ({"extension": ""}, "Expected non-empty string in field extension"),
        ({"extension": 70001}, "Expected string, got number in field extension"),
        ({"extension": "7/1"}, "Expected 1 to 40 of A-Z a-z 0-9 _ - in field extension"),
        ({"extension": "\u0667"}, "Expected 1 to 40 of A-Z a-z 0-9 _ - in field extension"),
        ({"extension": "7" * 41}, "Expected 1 to 40 of A-Z a-z 0-9 _ - in field extension"),
        ({"extension": "7\n"}, "Expected 1 to 40 of A-Z a-z 0-9 _ - in field extension"),
        ({"extension": "7", "secret": "eleven-char"}, "Expected 12 to 80 printable ASCII characters in field secret"),
        ({"extension": "7", "secret": ""}, "Expected 12 to 80 printable ASCII characters in field secret"),
        ({"extension": "7", "secret": "x" * 81}, "Expected 12 to 80 printable ASCII characters in field secret"),
        (
            {"extension": "7", "secret": "new\r\nline and"},
            "Expected 12 to 80 printable ASCII characters in field secret",
        ),
        ({"extension": "7", "secret": "\ud800" * 12}, "Expected 12 to 80 printable ASCII characters in field secret"),
        ({"extension": "7", "profile": "pstn"}, "Expected one of webrtc, sip in field profile"),
        ({"extension": "7", "callServer": "other"}, "Expected one of main in field callServer"),
        ({"extension": "7", "callServer": ""}, "Expected one of main in field callServer"),
    ],
)
async def test_what_is_wrong_with_a_new_one_is_named(shared: Server, given: Any, error: str) -> None:
    assert await asked(shared, "create", given) == (400, failed(f"Match error: {error}"))


async def test_what_is_wrong_with_a_change_is_named(shared: Server) -> None:
    given = {"extension": "12342", "enabled": "true"}
    assert await asked(shared, "update", given) == (400, failed("Match error: Expected true or false in field enabled"))
    assert await asked(shared, "delete", {}) == (400, failed("Match error: Missing key 'extension'"))
    assert await asked(shared, "delete", {"extension": "a\0"}) == (404, failed("Extension not found"))


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("password-12342", "little more than its number or a name and common words"),
        ("string-DNH41-", "little more than its number or a name"),
        ("summer2026 summer2026", "little more than common words and years"),
        ("583920174625", "digits only, and fewer than 20"),
    ],
)
async def test_a_password_that_is_easily_guessed_is_refused_and_the_present_one_stays(
    database: TestDatabase, server: Server, secret: str, reason: str
) -> None:
    """The name of whoever has the extension counts too."""
    before = await database.rows("select secret, former_until from phones")
    refused = (400, failed(f"Match error: the SIP password is easily guessed: {reason}"))
    assert await asked(server, "update", {"extension": "12342", "secret": secret}) == refused
    new = {"extension": "70001", "secret": secret.replace("12342", "70001"), "username": "dnhai"}
    assert await asked(server, "create", new) == refused
    assert await database.rows("select secret, former_until from phones") == before
    assert await database.rows("select from extensions where extension = '70001'") == []
    assert secret not in str(await database.rows("select * from audit"))


async def test_only_an_admin_may(shared: Server) -> None:
    told = failed("User does not have the permissions required for this action [error-unauthorized]")
    agent = await shared.headers_of()
    for what in ("create", "update", "delete"):
        assert await asked(shared, what, {}, agent) == (403, told)
        assert (await asked(shared, what, {}, {}))[0] == 401


async def test_where_there_are_several_call_servers_one_is_named(database: TestDatabase, start: Start) -> None:
    """One that `migrate` has not seen yet is as good as out of reach."""
    second = call_server(database_role=None, database_password=None)
    server = await start(database.settings(call_servers={"main": call_server(), "second": second}))
    missing = (400, failed("Match error: Missing key 'callServer'"))
    assert await asked(server, "create", {"extension": "70001"}) == missing
    assert (await asked(server, "create", {"extension": "70001", "callServer": "second"}))[0] == 503
    await database.execute("insert into call_servers (name) values ('second')")
    status, body = await asked(server, "create", {"extension": "70001", "callServer": "second"})
    assert (status, body["extension"]["callServer"]) == (200, "second")
