"""Registration info of a person with several phones: which one is answered, and `phone=`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.web.softphone import registration
from tests.support.database import TestDatabase
from tests.support.imported import BROWSER_SECRET, DESK_SECRET, HOLDER_ID, HOLDER_UID, both, import_alice
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start, told

BY_EXTENSION = "/api/v1/connector.extension.getRegistrationInfoByExtension"
NOT_FOUND = (404, {"success": False, "error": "Extension not found"})
BROWSER = {
    "extension": "alice",
    "password": BROWSER_SECRET,
    "authtype": "password",
    "state": "Unknown",
    "authUsername": "alice-login",
}
DESK = {"extension": "alice.desk", "password": DESK_SECRET, "authtype": "password", "state": "Unknown"}
FURTHER = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('main', '12342.k3f9', '12342', '12342.k3f9', 'a secret of the desk', 'sip')
"""


async def details(server: Server, path: str = REGISTRATION, json: Any = None, **query: str) -> Any:
    """What is answered of the phone; status and body if there is none."""
    answer = await server.client.get(path, params=query, json=json, headers=ADMIN)
    status, body = await told(answer)
    return body["extensionDetails"] if status == 200 else (status, body)


async def test_an_imported_extension_is_answered_as_the_endpoint_that_registers(
    database: TestDatabase, start: Start
) -> None:
    """The browser's first, with its own username; the one that Asterisk no longer has is not answered."""
    await import_alice(database)
    server = await start(both(database))
    found = await details(server, id=HOLDER_UID)
    assert (found, list(found)) == (BROWSER, list(BROWSER))
    assert await details(server, BY_EXTENSION, extension="1005") == BROWSER
    assert await details(server, id=AGENT_UID) == {
        "extension": "12342",
        "password": "my$up3erP@ssw0rd",
        "authtype": "password",
        "state": "Unknown",
    }


async def test_a_phone_of_the_same_person_is_answered_by_its_id(database: TestDatabase, start: Start) -> None:
    phones = await import_alice(database)
    server = await start(both(database))
    desk = str(phones["alice.desk"])
    assert await details(server, id=HOLDER_UID, phone=desk) == DESK
    assert await details(server, json={"id": HOLDER_UID, "phone": phones["alice.desk"]}) == DESK
    assert await details(server, json={"id": HOLDER_UID}, phone=desk) == DESK
    assert await details(server, BY_EXTENSION, extension="1005", phone=desk) == DESK
    assert await details(server, id=HOLDER_UID, phone=str(phones["alice"])) == BROWSER
    own = await server.headers_of(HOLDER_ID, HOLDER_UID)
    answer = await server.client.get(REGISTRATION, params={"id": HOLDER_UID, "phone": desk}, headers=own)
    assert (await answer.json())["extensionDetails"] == DESK


async def test_anothers_phone_and_one_that_there_is_not_are_not_found(database: TestDatabase, start: Start) -> None:
    phones = await import_alice(database)
    server = await start(both(database))
    for phone in (phones["12342"], 0, 10**6, 10**30):
        assert await details(server, id=HOLDER_UID, phone=str(phone)) == NOT_FOUND
        assert await details(server, BY_EXTENSION, extension="1005", phone=str(phone)) == NOT_FOUND
    assert await details(server, id=AGENT_UID, phone=str(phones["alice"])) == NOT_FOUND


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("phone=", "Expected a whole number of 0 or more in field phone"),
        ("phone=alice", "Expected a whole number of 0 or more in field phone"),
        ("phone=-1", "Expected a whole number of 0 or more in field phone"),
        ("phone=%2B1", "Expected a whole number of 0 or more in field phone"),
        ("phone=1.0", "Expected a whole number of 0 or more in field phone"),
        ("phone=%D9%A1", "Expected a whole number of 0 or more in field phone"),
        ("phone=1&phone=1", "Key 'phone' is given more than once"),
        ("phone[]=1&phone=1&phone=2", "Key 'phone' is given more than once"),
    ],
)
async def test_a_phone_that_is_no_id_is_refused(shared: Server, query: str, error: str) -> None:
    refused = (400, {"success": False, "error": f"Match error: {error}"})
    for start in (f"{REGISTRATION}?id={AGENT_UID}", f"{BY_EXTENSION}?extension=12342"):
        answer = await shared.raw(f"{start}&{query}", *(f"{name}: {value}" for name, value in ADMIN.items()))
        assert (answer.status, answer.json) == refused


@pytest.mark.parametrize("value", ["1 ", [1], {"a": 1}, True, 1.5])
async def test_a_phone_of_another_type_in_the_body_is_refused(shared: Server, value: Any) -> None:
    status, body = await details(shared, json={"id": AGENT_UID, "phone": value})
    assert (status, body["error"].startswith("Match error: Expected")) == (400, True)


async def test_each_phone_has_a_tag_of_its_own(database: TestDatabase, start: Start) -> None:
    phones = await import_alice(database)
    server = await start(both(database))
    queries = [{"id": HOLDER_UID}, {"id": HOLDER_UID, "phone": str(phones["alice.desk"])}]
    tags = []
    for query in queries:
        answer = await server.client.get(REGISTRATION, params=query, headers=ADMIN)
        tags.append(answer.headers["ETag"])
    assert len(set(tags)) == 2
    for query, tag in zip(queries, reversed(tags), strict=True):
        headers = {**ADMIN, "If-None-Match": tag}
        assert (await server.client.get(REGISTRATION, params=query, headers=headers)).status == 200
    same = {**ADMIN, "If-None-Match": tags[1]}
    assert (await server.client.get(REGISTRATION, params=queries[1], headers=same)).status == 304


async def test_a_further_phone_of_our_own_is_answered_by_its_id_alone(database: TestDatabase, start: Start) -> None:
    await database.execute(FURTHER)
    (row,) = await database.rows("select phone_id from phones where endpoint = '12342.k3f9'")
    server = await start(database.settings())
    assert (await details(server, id=AGENT_UID))["extension"] == "12342"
    further = await details(server, id=AGENT_UID, phone=str(row["phone_id"]))
    assert (further["extension"], further["password"]) == ("12342.k3f9", "a secret of the desk")
    assert await details(server, BY_EXTENSION, extension="12342.k3f9") == further


CHANGES = {
    "its password is another": ("update phones set secret = 'a secret of today' where endpoint = 'alice.desk'", 200),
    "its username is another": ("update phones set auth_username = 'desk' where endpoint = 'alice.desk'", 200),
    "it is gone": ("delete from phones where endpoint = 'alice.desk'", 404),
    "its extension is disabled": ("update extensions set enabled = false where extension = '1005'", 404),
}


@pytest.mark.parametrize("how", CHANGES)
async def test_a_long_poll_of_a_phone_ends_at_once_when(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """None of these is a change of presence. The regular check would come too late."""
    monkeypatch.setattr(registration, "RECHECK_INTERVAL", 60)
    phones = await import_alice(database)
    server = await start(both(database))
    query = {"id": HOLDER_UID, "phone": str(phones["alice.desk"])}
    answer = await server.client.get(REGISTRATION, params=query, headers=ADMIN)
    headers = {**ADMIN, "If-None-Match": answer.headers["ETag"]}
    statement, status = CHANGES[how]
    waiting = asyncio.create_task(server.client.get(REGISTRATION, params={**query, "wait": "30"}, headers=headers))
    await asyncio.wait([waiting], timeout=0.3)
    assert not waiting.done()
    await database.execute(statement)
    async with asyncio.timeout(15):
        assert (await waiting).status == status


async def test_a_long_poll_that_nothing_ends_answers_304(database: TestDatabase, start: Start) -> None:
    phones = await import_alice(database)
    server = await start(both(database))
    query = {"id": HOLDER_UID, "phone": str(phones["alice"])}
    answer = await server.client.get(REGISTRATION, params=query, headers=ADMIN)
    headers = {**ADMIN, "If-None-Match": answer.headers["ETag"]}
    answer = await server.client.get(REGISTRATION, params={**query, "wait": "0.2"}, headers=headers)
    assert answer.status == 304
