"""Phones of a person over HTTP: who may create, list and delete which, how many, and what is answered."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from service.db import phones
from service.db.phone_secrets import SQL as SECRETS_SQL
from service.domain.phone_kinds import PHONE_KINDS
from service.web.phones.schemas import Kind
from tests.integration.db.test_secret_life import auths, sealed
from tests.integration.phones.calls import (
    FORBIDDEN,
    OTHER_UID,
    PUBLIC_URL,
    create,
    created,
    delete,
    endpoints,
    failed,
    holds,
    listed,
    set_up,
)
from tests.integration.secrets.keys import KEY, settings_with
from tests.support import qr_reader
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.imported import HOLDER_ID, HOLDER_UID, both, import_alice
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, Server, Start


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    """A service with a public URL, whose Asterisk is away."""
    return await start(database.settings(public_url=PUBLIC_URL))


async def test_a_person_creates_a_phone_and_gets_a_link_for_it(database: TestDatabase, server: Server) -> None:
    agent = await server.headers_of()
    status, body = await create(server, agent, label="Mobile")
    phone, setup = body["phone"], body["setup"]
    assert (status, set(body)) == (200, {"success", "phone", "setup"})
    assert re.fullmatch(r"12342\.[a-z2-9]{6}", phone["endpoint"])
    age = datetime.now(UTC) - datetime.fromisoformat(phone.pop("createdAt"))
    assert abs(age.total_seconds()) < 30
    unknown = ("lastFetchedAt", "lastFetchedFrom", "registered", "reachable", "address", "userAgent")
    known = {"kind": "linphone", "label": "Mobile", "extension": "12342", "userId": AGENT_UID, "live": False}
    assert phone == {"id": phone["id"], "endpoint": phone["endpoint"], **known, **dict.fromkeys(unknown)}
    assert set(setup) == {"url", "qr", "expiresAt"}
    assert re.fullmatch(re.escape(PUBLIC_URL) + r"/p/[A-Za-z0-9_-]{32}", setup["url"])
    assert qr_reader.read_svg(setup["qr"]) == setup["url"] + "/linphone.xml"
    left = datetime.fromisoformat(setup["expiresAt"]) - datetime.now(UTC)
    assert 570 < left.total_seconds() <= 600
    (secret,) = (await auths(database))[phone["endpoint"]]
    assert secret not in str(body)
    assert await endpoints(server, agent) == ["12342", phone["endpoint"]]
    assert await holds(server, setup["url"])


async def test_asterisk_sees_the_phone_with_the_profile_of_its_kind(database: TestDatabase, server: Server) -> None:
    of_kind = {kind: (await created(server, kind=kind))["phone"] for kind in PHONE_KINDS if kind != "desk"}
    rows = await database.rows("select kind, profile, auth_username, endpoint from phones where kind <> 'other'")
    assert {row["kind"]: row["profile"] for row in rows} == {kind: PHONE_KINDS[kind].profile for kind in of_kind}
    assert all(row["auth_username"] == row["endpoint"] == of_kind[row["kind"]]["endpoint"] for row in rows)
    asterisk = await database.connect("asterisk_main")
    rung = await asterisk.fetchval("select voicemail_extension from ps_aors where id = '12342'")
    seen = await asterisk.fetch("select id, auth, aors from ps_endpoints where id like '12342.%'")
    await asterisk.close()
    assert rung.split("&") == ["PJSIP/12342", *(f"PJSIP/{phone['endpoint']}" for phone in of_kind.values())]
    assert {tuple(row) for row in seen} == {(phone["endpoint"],) * 3 for phone in of_kind.values()}


def test_the_kinds_are_those_that_the_description_lists() -> None:
    assert set(get_args(Kind)) == set(PHONE_KINDS)


async def test_a_deleted_phone_opens_and_rings_nothing_at_once_and_the_others_notice_nothing(
    database: TestDatabase, server: Server
) -> None:
    lost, kept = await created(server), await created(server, kind="desk", label="Desk")
    before = await auths(database)
    agent = await server.headers_of()
    assert await delete(server, lost["phone"]["id"], agent) == (200, {"success": True})
    before.pop(lost["phone"]["endpoint"])
    assert await auths(database) == before
    assert await endpoints(server, agent) == ["12342", kept["phone"]["endpoint"]]
    assert not await holds(server, lost["setup"]["url"])
    asterisk = await database.connect("asterisk_main")
    rung = await asterisk.fetchval("select voicemail_extension from ps_aors where id = '12342'")
    await asterisk.close()
    assert rung == f"PJSIP/12342&PJSIP/{kept['phone']['endpoint']}"
    assert await delete(server, lost["phone"]["id"], agent) == FORBIDDEN
    assert await delete(server, lost["phone"]["id"]) == (404, failed("Phone not found"))


async def test_the_own_phone_cannot_be_deleted(database: TestDatabase, server: Server) -> None:
    (own,) = await database.rows("select phone_id from phones where endpoint = '12342'")
    refused = failed(
        "this is the own phone of extension 12342, which answers to its number: rotate its SIP password instead"
    )
    for headers in (ADMIN, await server.headers_of()):
        assert await delete(server, own["phone_id"], headers) == (409, refused)
    assert (await set_up(server, own["phone_id"]))[1] == failed("a phone of kind other is not set up by a link")


async def test_phones_of_others_are_all_the_same_to_whoever_is_no_admin(server: Server) -> None:
    other = (await created(server, userId=OTHER_UID))["phone"]["id"]
    agent, without_phone = await server.headers_of(), await server.headers_of(HOLDER_ID, HOLDER_UID)
    for phone in (other, 0, 10**17, 10**30, "-1", "1.0", "%D9%A1", "alice", "%00"):
        for do in (set_up, delete):
            assert await do(server, phone, agent) == FORBIDDEN
            assert await do(server, phone, without_phone) == FORBIDDEN
    given: dict[str, Any]
    for given in ({"userId": OTHER_UID}, {"username": "agent2"}, {"userId": "nobody"}, {"username": "nobody"}):
        assert await create(server, agent, **given) == FORBIDDEN
    assert await create(server, agent, userId=AGENT_UID, username="agent2") == FORBIDDEN
    assert await listed(server, agent, userId=OTHER_UID) == await listed(server, agent, userId="nobody") == FORBIDDEN
    for answer in (create(server, {}), listed(server, {}), set_up(server, other, {}), delete(server, other, {})):
        assert (await answer)[0] == 401
    assert (await create(server, agent, username="DNHAI"))[0] == 200, "one's own name"
    assert (await listed(server, agent, userId=AGENT_UID))[0] == 200


async def test_an_admin_manages_anybodys_and_is_told_of_what_there_is_not(server: Server) -> None:
    other = await created(server, userId=OTHER_UID)
    by_name = (await create(server, username="Agent2"))[1]
    assert by_name["phone"]["userId"] == other["phone"]["userId"] == OTHER_UID
    _, body = await listed(server, ADMIN, userId=OTHER_UID)
    assert [phone["id"] for phone in body["phones"]][1:] == [other["phone"]["id"], by_name["phone"]["id"]]
    assert await listed(server, ADMIN) == (200, {"phones": [], "success": True})
    unknown: tuple[dict[str, Any], ...] = (
        *({"userId": "nobody"}, {"username": "nobody"}),
        *({"username": "\0"}, {"username": "\ud800"}),
    )
    for given in unknown:
        assert await create(server, **given) == (404, failed("User not found"))
    assert await listed(server, ADMIN, userId="nobody") == (404, failed("User not found"))
    named: tuple[dict[str, Any], ...] = ({}, {"userId": ADMIN_UID}, {"userId": HOLDER_UID})
    for given in named:
        assert await create(server, **given) == (404, failed("Extension not found"))
    for phone in (0, 10**17, 10**30, "alice", "1%20", "0x1", "01"):
        for do in (set_up, delete):
            assert await do(server, phone) == (404, failed("Phone not found"))


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"kind": None}, "Expected string, got null in field kind"),
        ({"kind": "other"}, "Expected one of linphone, gswave, groundwire, desk, browser-phone, browser in field kind"),
        ({"kind": 7}, "Expected string, got number in field kind"),
        ({"label": "x" * 201}, "Expected at most 200 printable characters in field label"),
        ({"label": "a\r\nINVITE"}, "Expected at most 200 printable characters in field label"),
        ({"label": "a\0"}, "Expected at most 200 printable characters in field label"),
        ({"label": "\ud800"}, "Expected at most 200 printable characters in field label"),
        ({"label": "\x9b31m"}, "Expected at most 200 printable characters in field label"),
        ({"label": "\u2028"}, "Expected at most 200 printable characters in field label"),
        ({"label": ["x"]}, "Expected at most 200 printable characters in field label"),
        ({"userId": ""}, "Expected non-empty string in field userId"),
        ({"userId": 1795}, "Expected string, got number in field userId"),
        ({"username": {}}, "Expected string, got object in field username"),
    ],
)
async def test_what_is_wrong_with_a_new_phone_is_named(shared: Server, given: Any, error: str) -> None:
    assert await create(shared, **{"userId": AGENT_UID, **given}) == (400, failed(f"Match error: {error}"))


@pytest.mark.parametrize(
    "label", ["", "ü" * 200, "<script>alert(1)</script>", "a;b^c,d'e\"f\\g${X}", "Ali's phone \U0001f4f1", "{{label}}"]
)
async def test_a_label_is_kept_as_it_is(database: TestDatabase, server: Server, label: str) -> None:
    phone = (await created(server, label=label))["phone"]
    _, body = await listed(server, ADMIN, userId=AGENT_UID)
    assert phone["label"] == body["phones"][1]["label"] == label
    (row,) = await database.rows("select details from audit where action = 'phone.created'")
    assert label[:5] in row["details"].encode().decode("unicode_escape", "replace") or label in row["details"]


async def test_of_twenty_at_once_no_more_are_made_than_a_person_may_have(database: TestDatabase, start: Start) -> None:
    settings = database.settings(public_url=PUBLIC_URL, phones_per_person=5)
    servers = [await start(settings), await start(settings)]
    agent = await servers[0].headers_of()
    answers = await asyncio.gather(
        *(create(servers[n % 2], (agent, ADMIN)[n % 2], userId=AGENT_UID) for n in range(20))
    )
    refused = failed("extension 12342 has 5 phones, the maximum: delete one that is no longer used")
    assert sorted(status for status, _ in answers) == [200] * 4 + [409] * 16
    assert all(body == refused for status, body in answers if status == 409)
    assert len(await database.rows("select from phones where extension = '12342'")) == 5
    assert len(await database.rows("select from audit where action = 'phone.created'")) == 4
    for server in servers:
        assert len((await listed(server, ADMIN, userId=AGENT_UID))[1]["phones"]) == 5
    newest = max(body["phone"]["id"] for status, body in answers if status == 200)
    assert (await delete(servers[1], newest))[0] == 200
    assert (await create(servers[0], agent))[0] == 200, "one that was deleted makes room, on each replica at once"


async def waits(database: TestDatabase) -> bool:
    """Whether a transaction waits for another one."""
    return await database.rows("select from pg_locks where not granted") != []


@pytest.mark.parametrize(
    ("change", "undo", "error"),
    [
        (
            "update users set active = false where user_id = 1795",
            "update users set active = true where user_id = 1795",
            "user dnhai is inactive: activate the user first",
        ),
        (
            "update extensions set enabled = false where extension = '12342'",
            "update extensions set enabled = true where extension = '12342'",
            "extension 12342 is disabled: enable it first",
        ),
    ],
)
async def test_whoever_may_not_register_gets_no_phone_also_while_that_changes(
    database: TestDatabase, server: Server, change: str, undo: str, error: str
) -> None:
    """The phone waits for the extension, which the change has locked, and then sees the change."""
    connection = await database.connect()
    async with connection.transaction():
        await connection.execute(change)
        waiting = asyncio.create_task(create(server, userId=AGENT_UID))
        await eventually(lambda: waits(database), what="the new phone waits for the lock")
    await connection.close()
    assert await waiting == (409, failed(error))
    assert await create(server, userId=AGENT_UID) == (409, failed(error))
    assert len(await database.rows("select from phones where extension = '12342'")) == 1
    await database.execute(undo)
    assert (await create(server, userId=AGENT_UID))[0] == 200


async def test_a_name_that_was_used_before_is_not_used_again(
    database: TestDatabase, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: Iterator[str] = itertools.chain(
        ["aaaaaa", "aaaaaa", "bbbbbb", "bbbbbb", "aaaaaa"], itertools.repeat("cccccc")
    )
    monkeypatch.setattr(phones, "new_suffix", lambda: next(names))
    first = await created(server)
    second = await created(server)
    assert [each["phone"]["endpoint"] for each in (first, second)] == ["12342.aaaaaa", "12342.bbbbbb"]
    await delete(server, first["phone"]["id"])
    third = await created(server)
    assert third["phone"]["endpoint"] == "12342.cccccc"
    status, body = await create(server, userId=AGENT_UID)
    assert (status, body) == (409, failed("extension 12342 has used up the names of its phones"))


async def test_on_an_imported_call_server_the_refusals_say_where_phones_are_managed(
    database: TestDatabase, start: Start
) -> None:
    ids = await import_alice(database)
    server = await start(both(database, public_url=PUBLIC_URL))
    own = await server.headers_of(HOLDER_ID, HOLDER_UID)
    run = "run extension import --call-server pbx --from-ami USER --apply"
    owner = "Asterisk owns the endpoints of call server pbx: "
    for headers in (ADMIN, own):
        assert await create(server, headers, userId=HOLDER_UID) == (
            409,
            failed(f"{owner}create the endpoint in its configuration, then {run}"),
        )
        for endpoint in ("alice", "alice.desk"):
            assert (await delete(server, ids[endpoint], headers))[1] == failed(
                f"{owner}delete the endpoint in its configuration, then {run} --remove-gone"
            )
            assert (await set_up(server, ids[endpoint], headers))[1] == failed(
                f"{owner}change the SIP password in its configuration, then {run}"
            )
    assert len((await listed(server, own))[1]["phones"]) == 3


async def test_where_passwords_are_encrypted_a_new_phones_is_too(database: TestDatabase, start: Start) -> None:
    await sealed(database)
    server = await start(database.settings(public_url=PUBLIC_URL, **settings_with(KEY)))
    phone = (await created(server))["phone"]
    (row,) = await database.rows("select secret, sealed from phones where phone_id = $1", phone["id"])
    assert row["secret"] is None
    assert row["sealed"] is not None
    connection = await database.connect()
    found = await connection.fetch(SECRETS_SQL["phones"], "12342")
    await connection.close()
    assert [each["password"] for each in found] == ["unreadable"] * 2, "without the key"


async def test_a_last_fetch_is_answered(database: TestDatabase, server: Server) -> None:
    phone = (await created(server))["phone"]
    await database.execute(
        "insert into phone_activity (phone_id, last_fetched_at, last_fetched_from) "
        "values ($1, '2026-11-22T09:30:00Z', '192.0.2.17')",
        phone["id"],
    )
    own, fetched = (await listed(server, ADMIN, userId=AGENT_UID))[1]["phones"]
    assert (own["lastFetchedAt"], own["lastFetchedFrom"]) == (None, None)
    assert (fetched["lastFetchedAt"], fetched["lastFetchedFrom"]) == ("2026-11-22T09:30:00.000Z", "192.0.2.17")
