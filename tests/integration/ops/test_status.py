"""`/status`: who may see it, its pages and filters, and what it answers without an Asterisk."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.database import TestDatabase
from tests.support.server import ADMIN, AGENT_UID, Server, Start, told

STRANGER = "X-Forwarded-For: 203.0.113.9"


async def status(server: Server, **query: str) -> dict[str, Any]:
    answer = await server.client.get("/status", params=query)
    assert answer.status == 200, await answer.text()
    body: dict[str, Any] = await answer.json()
    return body


def numbers(page: dict[str, Any]) -> list[str]:
    return [row["extension"] for row in page["extensions"]]


@pytest.mark.parametrize("path", ["/status", "/status/12342", "/status/none", "/status?limit=0"])
async def test_only_this_machine_and_admins_see_it(shared: Server, path: str) -> None:
    agent = (await shared.headers_of())["X-Auth-Token"]
    await shared.answers(200, {"X-Auth-Token": agent, "X-User-Id": AGENT_UID})
    for token, expected in ((agent, 403), ("x" * 43, 401), ("short", 401)):
        answer = await shared.raw(path, STRANGER, f"X-Auth-Token: {token}")
        assert (answer.status, "12342" in answer.body.decode()) == (expected, False)
    assert (await shared.raw(path, STRANGER)).status == 401
    here = await shared.raw(path)
    assert here.status == (await shared.raw(path, STRANGER, f"X-Auth-Token: {ADMIN['X-Auth-Token']}")).status
    assert here.status not in (401, 403)


@pytest.mark.parametrize("path", ["/status", "/status/12342", "/metrics"])
async def test_a_page_whose_own_name_leads_to_this_machine_sees_nothing(shared: Server, path: str) -> None:
    """DNS rebinding: the browser runs here, and says which name the page asked for."""
    port = shared.port
    for host in ("rebound.example", f"rebound.example:{port}", "127.0.0.1.example", "localhost.example"):
        assert (await shared.client.get(path, headers={"Host": host})).status == 401
    for host in (f"127.0.0.1:{port}", f"[::1]:{port}", "localhost:8080", "pbx", "a.localhost"):
        assert (await shared.client.get(path, headers={"Host": host})).status != 401


async def test_it_moves_to_the_port_for_operators(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(metrics_port=9))
    assert (await server.client.get("/status")).status == 404
    assert (await server.client.get("/status/12342")).status == 404


async def test_without_asterisk_it_says_why_nothing_is_live(shared: Server) -> None:
    page = await status(shared)
    assert page["directory"] == {"freshness": "live", "staleSince": None}
    (server,) = page["callServers"]
    assert (server["name"], server["live"], server["credentials"]) == ("main", False, "managed")
    assert (server["extensions"], server["liveExtensions"], server["registeredExtensions"]) == (2, 0, 0)
    assert page["extensions"][0] == {
        **page["extensions"][0],
        "extension": "12342", "username": "dnhai", "callServer": "main", "enabled": True, "state": "Unknown",
        "live": False, "devices": ["PJSIP/12342"], "registered": None, "reachable": None, "address": None,
        "userAgent": None,
    }  # fmt: skip
    code, details = await told(await shared.client.get("/status/12342"))
    assert (code, details["extension"], details["queues"]) == (200, page["extensions"][0], None)
    assert details["reason"]["code"] in ("call-server-unreachable", "link-down")
    assert details["devices"][0]["contacts"] is None


async def test_no_answer_holds_a_secret(shared: Server, template: TestDatabase) -> None:
    secrets = [str(row["secret"]) for row in await template.rows("select secret from phones")]
    assert len(secrets) == 2
    for path in ("/status", "/status/12342"):
        text = await (await shared.client.get(path)).text()
        assert not any(secret in text for secret in secrets)


async def test_pages_follow_each_other_and_hold_each_extension_once(database: TestDatabase, start: Start) -> None:
    await database.execute("insert into call_servers (name) values ('elsewhere')")
    await database.execute(
        """with made as (
               insert into extensions (extension, call_server)
               select n::text, case when n % 2 = 0 then 'main' else 'elsewhere' end from generate_series(20001, 20700) n
               returning extension, call_server
           )
           insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
           select call_server, extension, extension, extension, 'secret-of-a-test', 'sip' from made"""
    )
    server = await start(database.settings())
    page = await status(server, limit="300")
    found = numbers(page)
    counted = {each["name"]: each["extensions"] for each in page["callServers"]}
    assert counted == {"main": 352, "elsewhere": 350}
    assert [each["inSettings"] for each in page["callServers"]] == [False, True]
    while page["next"] is not None:
        page = await status(server, limit="300", after=page["next"])
        assert page["callServers"] is None
        found += numbers(page)
    assert found == ["12342", "12343", *map(str, range(20001, 20701))]

    page = await status(server, callServer="elsewhere", limit="350")
    assert (len(numbers(page)), page["next"]) == (350, None)
    assert {row["reason"] for row in page["extensions"]} == {"call-server-not-in-settings"}
    assert numbers(await status(server, live="true")) == []
    assert numbers(await status(server, state="Ringing")) == []
    assert len(numbers(await status(server, state="Unknown", live="false", limit="1000"))) == 702
    assert (await status(server, after="20700"))["extensions"] == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("limit=0", "Expected a whole number from 1 to 1000 in field limit"),
        ("limit=1001", "Expected a whole number from 1 to 1000 in field limit"),
        ("live=yes", "Expected one of true, false in field live"),
        ("state=Asleep", "Unavailable, Ringing, Ring+Inuse, On Hold in field state"),
        ("after=1&after=2", "Key 'after' is given more than once"),
    ],
)  # fmt: skip
async def test_a_wrong_filter_is_refused_by_name(shared: Server, query: str, error: str) -> None:
    answer = await shared.client.get(f"/status?{query}")
    assert (await told(answer))[0] == 400
    assert (await answer.json())["error"].endswith(error)


async def test_an_extension_is_found_by_its_number_and_by_its_endpoint(database: TestDatabase, start: Start) -> None:
    await database.execute(
        """insert into call_servers (name) values ('elsewhere');
           insert into extensions (extension, call_server) values ('1005', 'main'), ('21005', 'elsewhere');
           insert into phones (call_server, endpoint, extension, auth_username, secret, profile, label, missing_since)
           values ('main', 'alice', '1005', 'alice-auth', 'secret-of-a-test', 'sip', 'desk', null),
                  ('elsewhere', 'alice', '21005', 'alice', 'secret-of-a-test', 'sip', '', null),
                  ('main', 'bob.x+1', '1005', 'bob', 'secret-of-a-test', 'webrtc', '', now())"""
    )
    server = await start(database.settings())
    assert await told(await server.client.get("/status/alice")) == (
        409, {"success": False, "error": "alice is an endpoint of several extensions: 1005, 21005"},
    )  # fmt: skip
    assert (await told(await server.client.get("/status/nobody")))[0] == 404
    for name in ("1005", "bob.x%2B1"):
        code, details = await told(await server.client.get(f"/status/{name}"))
        assert (code, details["extension"]["extension"]) == (200, "1005"), details
        desk, browser = details["devices"]
        assert desk["phone"] == {
            **desk["phone"],
            "endpoint": "alice", "authUsername": "alice-auth", "profile": "sip", "label": "desk", "missing": False,
        }  # fmt: skip
        assert (browser["device"], browser["phone"]["missing"]) == ("PJSIP/bob.x+1", True)


async def test_a_phone_is_shown_with_its_kind_and_when_it_fetched_its_configuration(
    database: TestDatabase, start: Start
) -> None:
    await database.execute(
        """insert into phones (call_server, endpoint, extension, auth_username, secret, profile, kind, label) values
               ('main', '12342.aaaaaa', '12342', '12342.aaaaaa', 'secret-of-a-test', 'sip', 'linphone', 'Mobile'),
               ('main', '12342.bbbbbb', '12342', '12342.bbbbbb', 'secret-of-a-test', 'sip', 'linphone', 'Tablet');
           insert into phone_activity select phone_id, '2026-11-22T09:30:00Z', '192.0.2.17' from phones
           where endpoint = '12342.aaaaaa'"""
    )
    server = await start(database.settings())

    async def shown() -> list[tuple[Any, ...]]:
        _, details = await told(await server.client.get("/status/12342"))
        names = ("kind", "label", "fetched", "lastFetchedAt", "lastFetchedFrom")
        return [tuple(device["phone"][name] for name in names) for device in details["devices"]]

    assert await shown() == [
        ("other", "", False, None, None),
        ("linphone", "Mobile", True, "2026-11-22T09:30:00.000Z", "192.0.2.17"),
        ("linphone", "Tablet", False, None, None),
    ]
    await database.execute("revoke select on phone_activity from connector_service")
    assert [row[2] for row in await shown()] == [None] * 3, "not known is not never"


async def test_what_may_not_register_is_shown_with_its_reason(database: TestDatabase, start: Start) -> None:
    await database.execute(
        "update extensions set enabled = false where extension = '12343'; "
        "update users set active = false where name = 'dnhai'"
    )
    server = await start(database.settings())
    found = {
        row["extension"]: (row["reason"], row["state"], row["presence"]) for row in (await status(server))["extensions"]
    }
    assert found == {"12342": ("user-inactive", "Unknown", None), "12343": ("extension-disabled", "Unknown", None)}
    _, details = await told(await server.client.get("/status/12342"))
    assert details["reason"]["nextStep"] == "Activate the user: `python -m service user activate name:dnhai`."
