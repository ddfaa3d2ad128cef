"""Calls that take an extension take the endpoint that its softphone registered as. Answers about it have its number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.imported import BROWSER_SECRET, DESK_SECRET, HOLDER_ID, HOLDER_UID, both, import_alice
from tests.support.server import ADMIN, Server, Start, told

API = "/api/v1"
NOT_FOUND = (404, {"success": False, "error": "Extension not found"})
QUEUES = ("voip/queues.getQueuedCallsForThisExtension", "voip/queues.getMembershipSubscription")
NAMES = ("1005", "alice", "alice.desk", "alice-old")


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    await import_alice(database)
    return await start(both(database))


async def asked(server: Server, path: str, headers: dict[str, str] = ADMIN, **query: str) -> tuple[int, Any]:
    return await told(await server.client.get(f"{API}/{path}", params=query, headers=headers))


@pytest.mark.parametrize("name", NAMES)
async def test_details_have_the_number_and_the_password_of_the_named_phone(server: Server, name: str) -> None:
    status, body = await asked(server, "connector.extension.getDetails", extension=name)
    passwords = {"alice.desk": DESK_SECRET, "alice-old": "a secret of a phone that is gone"}
    assert (status, body["extension"], body["password"]) == (200, "1005", passwords.get(name, BROWSER_SECRET))


@pytest.mark.parametrize("name", ["alice", "alice.desk"])
async def test_registration_info_is_that_of_the_named_endpoint(server: Server, name: str) -> None:
    status, body = await asked(server, "connector.extension.getRegistrationInfoByExtension", extension=name)
    assert (status, body["extensionDetails"]["extension"]) == (200, name)


@pytest.mark.parametrize("name", NAMES)
async def test_lists_and_presence_are_filtered_and_have_the_number(server: Server, name: str) -> None:
    status, body = await asked(server, "omnichannel/extensions", extension=name)
    assert (status, [item["extension"] for item in body["extensions"]], body["total"]) == (200, ["1005"], 1)
    status, body = await asked(server, f"presence/{name}")
    assert (status, body["presence"]["extension"], body["presence"]["userId"]) == (200, "1005", HOLDER_UID)
    status, body = await asked(server, "presence", extension=f"{name},12342")
    assert (status, [item["extension"] for item in body["presence"]]) == (200, ["1005", "12342"])
    status, body = await asked(server, "omnichannel/agents/available", includeExtension=name)
    assert (status, body["agents"]) == (200, [])  # its holder is no agent
    await server.client.patch(f"/user/{HOLDER_ID}", json={"user_type": "agent"}, headers=ADMIN)
    status, body = await asked(server, "omnichannel/agents/available", includeExtension=name)
    assert [agent["extension"] for agent in body["agents"]] == ["1005"]


async def test_changes_since_a_cursor_are_those_of_the_named_extension(server: Server, database: TestDatabase) -> None:
    _, body = await asked(server, "presence", extension="alice")
    cursor = body["cursor"]
    await database.execute("update extensions set user_id = null where extension in ('12342', '1005')")
    _, body = await asked(server, "presence", extension="alice", since=cursor, wait="10")
    assert [(item["extension"], item["userId"]) for item in body["presence"]] == [("1005", None)]


async def test_a_stream_of_a_named_extension_shows_its_number(server: Server) -> None:
    async with server.client.get(f"{API}/presence/stream?extension=alice", headers=ADMIN) as answer:
        lines = [(await answer.content.readline()).decode() for _ in range(4)]
    (data,) = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert [item["extension"] for item in json.loads(data)["presence"]] == ["1005"]


async def test_a_client_may_ask_for_their_own_by_any_of_its_names_and_for_no_other(server: Server) -> None:
    """A 503 is the answer of an Asterisk that is away: the question was allowed."""
    own = await server.headers_of(HOLDER_ID, HOLDER_UID)
    for path in QUEUES:
        assert [(await asked(server, path, own, extension=name))[0] for name in NAMES] == [503] * len(NAMES)
        for name in ("12342", "alice-login", "PJSIP/alice", "ALICE", "alic"):
            assert (await asked(server, path, own, extension=name))[0] == 403
    assert [(await asked(server, f"presence/{name}", own))[0] for name in NAMES] == [200] * len(NAMES)
    assert await asked(server, "presence/12342", own) == NOT_FOUND


async def test_a_number_comes_before_an_endpoint_of_the_same_name(server: Server, database: TestDatabase) -> None:
    await database.execute("update phones set endpoint = '12342', auth_username = '12342' where endpoint = 'alice'")

    async def is_read() -> bool:
        _, body = await asked(server, "connector.extension.getRegistrationInfoByExtension", extension="1005")
        return bool(body["extensionDetails"]["extension"] == "12342")

    await eventually(is_read, what="the endpoint has another name")
    _, body = await asked(server, "connector.extension.getDetails", extension="12342")
    assert (body["extension"], body["password"]) == ("12342", "my$up3erP@ssw0rd")
    _, body = await asked(server, "presence/12342")
    assert body["presence"]["callServer"] == "main"
    # A client cannot mean anybody else's.
    own = await server.headers_of(HOLDER_ID, HOLDER_UID)
    _, body = await asked(server, "presence/12342", own)
    assert (body["presence"]["extension"], body["presence"]["callServer"]) == ("1005", "pbx")
    _, body = await asked(server, "presence", own, extension="12342")
    assert [item["extension"] for item in body["presence"]] == ["1005"]
    assert (await asked(server, QUEUES[0], own, extension="12342"))[0] == 503


@pytest.mark.parametrize("name", ["alice-login", "ALICE", "alic", "al%00ice", "alice%0D%0A", "%25", "b%C3%BCro"])
async def test_another_name_is_nobodys(server: Server, name: str) -> None:
    lines = [f"{key}: {value}" for key, value in ADMIN.items()]
    for path in ("connector.extension.getDetails", "connector.extension.getRegistrationInfoByExtension"):
        answer = await server.raw(f"{API}/{path}?extension={name}", *lines)
        assert (answer.status, answer.json) == NOT_FOUND
    answer = await server.raw(f"{API}/presence/{name}", *lines)
    assert (answer.status, answer.json) == NOT_FOUND


async def test_a_disabled_extension_has_no_name(server: Server, database: TestDatabase) -> None:
    await database.execute("update extensions set enabled = false where extension = '1005'")
    await server.answers(404, uid=HOLDER_UID)
    for name in NAMES:
        assert await asked(server, "connector.extension.getDetails", extension=name) == NOT_FOUND
        assert await asked(server, f"presence/{name}") == NOT_FOUND
