"""What a call server's own Asterisk owns is not changed over HTTP, and each answer says what a change leaves valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from service.domain.models import Credentials
from tests.support.database import TestDatabase, call_server
from tests.support.imported import HOLDER_ID, HOLDER_UID, SECRETS, both, import_alice, secrets_of
from tests.support.server import ADMIN, AGENT_UID, Server, Start, told

CONNECTOR, AGENT = "/api/v1/connector.extension", "/api/v1/omnichannel/agent/extension"
UNREVOKED = "X-Unrevoked-Endpoints"
STILL_VALID = "alice.desk, alice"
OWNED = "Asterisk owns the endpoints of call server pbx: "
IMPORT = "then run extension import --call-server pbx --from-ami USER --apply"
REFUSED = [
    ("create", {"extension": "70001", "callServer": "pbx"}, f"create the endpoint in its configuration, {IMPORT}"),
    (
        "create",
        {"extension": "1005", "callServer": "pbx", "username": "dnhai"},
        f"create the endpoint in its configuration, {IMPORT}",
    ),
    (
        "update",
        {"extension": "1005", "secret": "a secret of ours", "enabled": False},
        f"change the SIP password in its configuration, {IMPORT}",
    ),
    (
        "update",
        {"extension": "1005", "profile": "sip"},
        f"change the option webrtc of the endpoint in its configuration, {IMPORT}",
    ),
    ("delete", {"extension": "1005"}, f"delete the endpoint in its configuration, {IMPORT} --remove-gone"),
]
ROWS = "select extension, user_id, enabled from extensions order by extension"
WHO_SAYS_SO = {"both": {}, "the settings": {}, "the database": {"credentials": Credentials.MANAGED}}


@pytest.mark.parametrize("by", WHO_SAYS_SO)
async def test_what_asterisk_owns_is_refused_and_nothing_is_changed(
    database: TestDatabase, start: Start, by: str
) -> None:
    """Until `migrate` has run, settings and database may differ: each of them is obeyed."""
    await import_alice(database)
    if by == "the settings":
        await database.execute("update call_servers set credentials = 'managed'")
    pbx = call_server(database_role=None, database_password=None, credentials=Credentials.IMPORTED)
    pbx = pbx.model_copy(update=WHO_SAYS_SO[by])
    server = await start(database.settings(call_servers={"main": call_server(), "pbx": pbx}))
    before = await database.rows(ROWS)
    for what, given, remedy in REFUSED:
        answer = await server.client.post(f"{CONNECTOR}.{what}", json=given, headers=ADMIN)
        assert await told(answer) == (409, {"success": False, "error": OWNED + remedy})
    assert await secrets_of(database) == SECRETS
    assert await database.rows(ROWS) == before


async def test_an_extension_that_there_is_not_is_a_404_before_anything_else(
    database: TestDatabase, start: Start
) -> None:
    server = await start(both(database))
    for what in ("update", "delete"):
        given = {"extension": "70001", "secret": "a secret of ours"}
        answer = await server.client.post(f"{CONNECTOR}.{what}", json=given, headers=ADMIN)
        assert answer.status == 404


ENABLED = {"extension": "1005", "callServer": "pbx", "profile": "webrtc", "userId": HOLDER_UID, "username": "nophone"}
CHANGES: Mapping[str, tuple[str, str, Any, Any]] = {
    "disabled": (
        "POST",
        f"{CONNECTOR}.update",
        {"extension": "1005", "enabled": False},
        {"extension": {**ENABLED, "enabled": False}, "success": True},
    ),
    "unassigned": (
        "DELETE",
        f"{AGENT}/nophone",
        None,
        {"extension": {"_id": HOLDER_UID, "username": "nophone", "extension": "1005"}, "success": True},
    ),
    "assigned another": ("POST", AGENT, {"username": "nophone", "extension": "70001"}, {"success": True}),
    "given a new one": (
        "POST",
        f"{CONNECTOR}.create",
        {"extension": "70002", "callServer": "main", "username": "nophone"},
        ...,
    ),
    "deactivated": ("PATCH", f"/user/{HOLDER_ID}", {"active": False}, ...),
    "deleted": ("DELETE", f"/user/{HOLDER_ID}", None, {"success": True}),
}


@pytest.mark.parametrize("how", CHANGES)
async def test_whoever_loses_an_imported_extension_is_answered_no_more_and_the_answer_says_what_stays_valid(
    database: TestDatabase, start: Start, logged: list[dict[str, object]], how: str
) -> None:
    await import_alice(database)
    await database.execute("insert into extensions (extension, call_server, secret) values ('70001', 'main', 's')")
    server = await start(both(database))
    holder = await server.headers_of(HOLDER_ID, HOLDER_UID)
    await server.answers(200, holder, HOLDER_UID)
    method, path, given, wanted = CHANGES[how]
    answer = await server.client.request(method, path, json=given, headers=ADMIN)
    body = await answer.json()
    assert (answer.status, body) == (200, body if wanted is ... else wanted)
    assert answer.headers[UNREVOKED] == STILL_VALID
    assert UNREVOKED in answer.headers["Access-Control-Expose-Headers"]
    assert [line["endpoints"] for line in logged if line["event"] == "sip_passwords_unrevoked"] == [
        STILL_VALID.split(", ")
    ]
    # At once: the answers of this process obey the change that it has just made.
    if how in ("assigned another", "given a new one"):
        info = await (await server.registration(HOLDER_UID, holder)).json()
        assert info["extensionDetails"]["extension"] in ("70001", "70002")
    else:
        assert (await server.registration(HOLDER_UID)).status == 404
        ended = how in ("deactivated", "deleted")
        assert (await server.registration(HOLDER_UID, holder)).status == (401 if ended else 404)
    assert await secrets_of(database) == SECRETS


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", f"{CONNECTOR}.update", {"extension": "1005", "enabled": True}),
        ("PATCH", f"/user/{HOLDER_ID}", {"first_name": "Al", "active": True}),
        ("POST", f"{CONNECTOR}.update", {"extension": "12342", "enabled": False}),
        ("PATCH", "/user/1795", {"active": False}),
        ("DELETE", "/user/1795", None),
        ("DELETE", f"{AGENT}/dnhai", None),
    ],
)
async def test_nothing_is_said_where_nothing_is_lost_and_where_passwords_are_ours(
    database: TestDatabase, start: Start, method: str, path: str, given: Any
) -> None:
    await import_alice(database)
    server = await start(both(database))
    answer = await server.client.request(method, path, json=given, headers=ADMIN)
    assert (answer.status, answer.headers.get(UNREVOKED)) == (200, None)


async def test_a_new_password_of_a_person_leaves_an_imported_sip_password_and_says_so(
    database: TestDatabase, start: Start
) -> None:
    await import_alice(database)
    server = await start(both(database))
    answer = await server.client.patch(f"/user/{HOLDER_ID}", json={"passwd": "a new password"}, headers=ADMIN)
    assert (answer.status, answer.headers.get(UNREVOKED)) == (200, STILL_VALID)
    assert await secrets_of(database) == SECRETS


async def test_an_imported_extension_is_assigned_by_number_or_by_endpoint_and_its_password_stays(
    database: TestDatabase, start: Start
) -> None:
    await import_alice(database)
    await database.execute("update extensions set user_id = null")
    server = await start(both(database))
    given = {"username": "dnhai", "extension": "alice"}
    answer = await server.client.post(AGENT, json=given, headers=ADMIN)
    assert (await told(answer), answer.headers[UNREVOKED]) == ((200, {"success": True}), STILL_VALID)
    answer = await server.client.get(f"{AGENT}/dnhai", headers=ADMIN)
    held = {"_id": AGENT_UID, "username": "dnhai", "extension": "1005"}
    assert await told(answer) == (200, {"extension": held, "success": True})
    for nothing in ("alice-login", "nobody", "PJSIP/alice", "a\0", ""):
        refused = await server.client.post(AGENT, json={**given, "extension": nothing}, headers=ADMIN)
        assert refused.status == 404
    assert await secrets_of(database) == SECRETS


async def test_an_endpoint_of_two_extensions_names_none_of_them(database: TestDatabase, start: Start) -> None:
    await import_alice(database)
    await database.execute("insert into extensions (extension, call_server) values ('70001', 'main')")
    await database.execute(
        "insert into phones (call_server, endpoint, extension, auth_username, secret) "
        "values ('main', 'alice', '70001', 'alice', 'a secret of another')"
    )
    server: Server = await start(both(database))
    for path in (f"{CONNECTOR}.getDetails", f"{CONNECTOR}.getRegistrationInfoByExtension"):
        answer = await server.client.get(path, params={"extension": "alice"}, headers=ADMIN)
        assert await told(answer) == (404, {"success": False, "error": "Extension not found"})
    answer = await server.client.post(AGENT, json={"username": "admin", "extension": "alice"}, headers=ADMIN)
    assert answer.status == 404
