"""Set-up links of phones over HTTP: which kinds have one, what ends it, and that nothing but its answer tells it."""

from __future__ import annotations

import pytest

from tests.integration.db.test_secret_life import auths
from tests.integration.phones.calls import (
    PUBLIC_URL,
    create,
    created,
    delete,
    failed,
    holds,
    set_up,
)
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, AGENT_UID, Server, Start


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    """A service with a public URL, whose Asterisk is away."""
    return await start(database.settings(public_url=PUBLIC_URL))


@pytest.mark.parametrize(("kind", "scans"), [("linphone", True), ("gswave", False), ("desk", False)])
async def test_a_code_is_drawn_where_it_holds_no_password(server: Server, kind: str, scans: bool) -> None:
    setup = (await created(server, kind=kind))["setup"]
    assert (setup["qr"] is not None) is scans


async def test_a_browser_has_no_link_and_reads_its_registration_info(server: Server) -> None:
    body = await created(server, kind="browser")
    assert body["setup"] is None
    phone = body["phone"]
    status, answer = await set_up(server, phone["id"])
    assert (status, answer) == (409, failed("a phone of kind browser is not set up by a link"))
    registration = await server.client.get(
        "/api/v1/connector.extension.getRegistrationInfoByUserId",
        params={"id": AGENT_UID, "phone": str(phone["id"])},
        headers=ADMIN,
    )
    assert (await registration.json())["extensionDetails"]["extension"] == phone["endpoint"]


async def test_without_a_public_url_there_are_phones_and_no_links(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings())
    body = await created(server)
    assert body["setup"] is None
    refused = failed("the setting CONNECTOR_PUBLIC_URL is not set: set-up links begin with it")
    assert await set_up(server, body["phone"]["id"]) == (409, refused)
    assert await database.rows("select from phone_setups") == []
    assert (await set_up(server, 10**9))[0] == 404


async def test_a_new_link_ends_the_one_before(server: Server) -> None:
    first = await created(server)
    status, second = await set_up(server, first["phone"]["id"], await server.headers_of())
    assert (status, second["phone"]) == (200, first["phone"])
    assert second["setup"]["url"] != first["setup"]["url"]
    assert not await holds(server, first["setup"]["url"])
    assert await holds(server, second["setup"]["url"])


async def test_a_deactivation_ends_the_password_and_the_link_of_a_new_phone(
    database: TestDatabase, server: Server
) -> None:
    body = await created(server)
    secret = (await auths(database))[body["phone"]["endpoint"]]
    await database.execute("update users set active = false where user_id = 1795")
    await database.execute("update users set active = true where user_id = 1795")
    assert (await auths(database))[body["phone"]["endpoint"]] != secret
    assert not await holds(server, body["setup"]["url"])


async def test_who_did_what_is_audited_and_logged_without_a_link(
    database: TestDatabase, server: Server, logged: list[dict[str, object]]
) -> None:
    agent = await server.headers_of()
    _, body = await create(server, agent, label="Mobile")
    phone = body["phone"]
    _, again = await set_up(server, phone["id"])
    await delete(server, phone["id"], agent)
    rows = await database.rows(
        "select action, actor, subject, subject_id, details from audit where subject_kind = 'phone' order by audit_id"
    )
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("phone.created", "dnhai"),
        ("phone.setup", "dnhai"),
        ("phone.setup", "admin"),
        ("phone.deleted", "dnhai"),
    ]
    assert {(row["subject"], row["subject_id"]) for row in rows} == {(phone["endpoint"], phone["id"])}
    told_of = [line["event"] for line in logged if str(line["event"]).startswith("phone_")]
    assert told_of == ["phone_created", "phone_setup_started", "phone_deleted"]
    for link in (body["setup"]["url"], again["setup"]["url"]):
        token = link.rpartition("/")[2]
        assert token not in str(logged) + str([dict(row) for row in rows])
