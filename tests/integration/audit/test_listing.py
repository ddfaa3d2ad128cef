"""`GET /api/v1/audit` and `audit list|prune`: filters, pages, who may read, and retention."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import pwd
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.web.app_keys import DATABASE
from tests.support.command_line import Done, command, environment
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, Server, told

AUDIT = "/api/v1/audit"
ODD = "Zoë;\r\nX-Evil: 1 '\"^,\\ \U0001f4de"


async def page(server: Server, **query: str) -> dict[str, Any]:
    status, body = await told(await server.client.get(AUDIT, params=query, headers=ADMIN))
    assert (status, body["success"]) == (200, True), body
    return dict(body)


async def filled(database: TestDatabase) -> None:
    """Thirty rows, a minute apart from each other; the newest is of 12:29."""
    await database.execute("truncate audit")
    await database.execute(
        """
        insert into audit (at, action, actor_kind, actor_id, actor, subject_kind, subject, address, details)
        select timestamptz '2026-11-26 12:00+00' + n * interval '1 minute',
            case when n % 3 = 0 then 'user.updated' when n % 3 = 1 then 'user.created' else 'login' end,
            'person', n % 2, case n % 2 when 0 then 'ada' else 'bob' end, 'user', $1, '192.0.2.1',
            '{"fields": ["name"]}'
        from generate_series(0, 29) as n
        """,
        ODD,
    )


async def test_the_trail_is_read_newest_first_page_by_page(database: TestDatabase, server: Server) -> None:
    await filled(database)
    first = await page(server, count="7")
    assert (first["offset"], first["count"], first["total"], len(first["audit"])) == (0, 7, 30, 7)
    assert first["audit"][0]["at"] == "2026-11-26T12:29:00.000Z"
    assert first["audit"][0] == {
        "id": first["audit"][0]["id"], "at": "2026-11-26T12:29:00.000Z", "action": "login",
        "actor": {"kind": "person", "userId": 1, "name": "bob"}, "count": 1, "details": {"fields": ["name"]},
        "subject": {"kind": "user", "name": ODD}, "address": "192.0.2.1",
    }  # fmt: skip
    every = [
        entry for offset in range(0, 35, 7) for entry in (await page(server, offset=str(offset), count="7"))["audit"]
    ]
    assert [entry["at"] for entry in every] == sorted((entry["at"] for entry in every), reverse=True)
    assert len({entry["id"] for entry in every}) == 30
    assert (await page(server, offset="99999999999999999999999"))["audit"] == []
    assert [(await page(server, count=count))["count"] for count in ("0", "100", "5000")] == [100, 100, 100]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ({"actor": "ada"}, 15), ({"actor": "nobody"}, 0), ({"subject": ODD}, 30), ({"action": "login"}, 10),
        ({"action": "user.*"}, 20), ({"action": "user"}, 0), ({"action": "user.created", "actor": "bob"}, 5),
        ({"since": "2026-11-26T12:20:00Z"}, 10), ({"until": "2026-11-26T13:20:00+01:00"}, 20),
        ({"since": "2026-11-26T12:10:00Z", "until": "2026-11-26T12:11:00Z"}, 1),
        ({"actor": "", "subject": "", "action": ""}, 30),
        ({"action": "%"}, 0), ({"actor": "' or true --"}, 0),
    ],
)  # fmt: skip
async def test_filters(database: TestDatabase, server: Server, query: dict[str, str], number: int) -> None:
    await filled(database)
    found = await page(server, count="100", **query)
    assert (len(found["audit"]), found["total"]) == (number, number)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"since": ""}, "Match error: Expected a time with its zone in field since"),
        ({"since": "yesterday"}, "Match error: Expected a time with its zone in field since"),
        ({"until": "2026-11-26T12:00:00"}, "Match error: Expected a time with its zone in field until"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "Match error: Expected a time with its zone in field since"),
        ({"count": "-1"}, "Match error: Expected a whole number of 0 or more in field count"),
        ({"actor": "a\0b"}, "Match error: this text cannot be stored in field actor"),
    ],
)
async def test_what_is_no_filter_is_a_400(server: Server, query: dict[str, str], error: str) -> None:
    answer = await server.client.get(AUDIT, params=query, headers=ADMIN)
    assert await told(answer) == (400, {"success": False, "error": error})


async def test_only_admins_read_the_trail(server: Server) -> None:
    for user_id, uid in ((1795, "ByehQjC44FwMeiLbX"), (1797, "hT5rLwQ8vKz2fYj6N")):
        answer = await server.client.get(AUDIT, headers=await server.headers_of(user_id, uid))
        assert (await told(answer))[0] == 403
    assert (await server.client.get(AUDIT)).status == 401
    assert (await server.client.delete(AUDIT, headers=ADMIN)).status == 405


async def test_a_large_trail_is_counted_up_to_a_bound_and_found_by_its_indexes(
    database: TestDatabase, server: Server
) -> None:
    await database.execute(
        """
        insert into audit (at, action, actor_kind, actor, subject_kind, subject)
        select now() - n * interval '1 second', 'login', 'person', 'ada', 'user', 's' || n % 5000
        from generate_series(1, 60000) as n
        """
    )
    await database.execute("analyze audit")
    assert (await page(server, action="login"))["total"] == 10_000
    assert (await page(server, subject="s77"))["total"] == 12
    async with server.app[DATABASE].connection() as connection, connection.transaction():
        await connection.execute("set local plan_cache_mode = force_custom_plan")
        plan = await connection.fetch(
            "explain select * from audit where (null::text is null or actor = null) and subject = 's77' "
            "order by at desc, audit_id desc limit 50"
        )
    assert "audit_subject" in str(plan)


async def run(database: TestDatabase, *arguments: str) -> Done:
    done = await asyncio.to_thread(command, environment(database), *arguments)
    assert done.returncode == 0, done.stderr
    return done


async def test_the_command_line_lists_with_the_same_filters(database: TestDatabase) -> None:
    await filled(database)
    done = await run(database, "audit", "list", "--action", "user.*", "--actor", "ada", "--count", "3")
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["at", "action", "actor", "subject", "address", "count", "details", "request_id"]
    assert "\r" not in done.stdout
    assert "Zoë;??X-Evil: 1" in lines[1]
    span = ("--since", "2026-11-26T12:10:00Z", "--until", "2026-11-26T12:12:00Z", "--subject", ODD)
    listed = json.loads((await run(database, "audit", "list", "--json", *span)).stdout)
    assert [entry["at"][:16] for entry in listed] == ["2026-11-26T12:11", "2026-11-26T12:10"]
    assert listed[0]["details"] == {"fields": ["name"]}
    assert listed[0]["subject"] == ODD


async def test_a_change_on_the_command_line_names_the_operating_systems_user_and_machine(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("SUDO_USER", "alice")
    assert getpass.getuser() == "somebody-else"
    await run(database, "user", "deactivate", "agent2")
    (row,) = await database.rows("select * from audit where action = 'user.deactivated'")
    assert row["actor"] == f"{pwd.getpwuid(os.geteuid()).pw_name} (sudo: alice)"
    assert (row["actor_kind"], row["actor_id"], row["address"]) == ("command_line", None, socket.gethostname())
    assert (row["subject"], row["subject_id"]) == ("agent2", 1796)


async def test_old_entries_are_removed_by_the_owner_and_that_is_audited(database: TestDatabase) -> None:
    await database.execute("truncate audit")
    await database.execute(
        "insert into audit (at, action, actor_kind) select now() - n * interval '1 day', 'login', 'person' "
        "from generate_series(0, 99) as n"
    )
    done = await run(database, "audit", "prune", "--keep-days", "30", "--json")
    assert json.loads(done.stdout) == {"done": "Removed 70 entries.", "removed": 70}
    rows = await database.rows("select action, at, details from audit order by at")
    assert len(rows) == 31
    assert datetime.now(UTC) - rows[0]["at"] < timedelta(days=30)
    assert rows[-1]["action"] == "audit.pruned"
    for days in ("0", "-1", "x", "99999999999"):
        refused = await asyncio.to_thread(command, environment(database), "audit", "prune", "--keep-days", days)
        assert refused.returncode == 2
    as_service = {"OWNER_DATABASE_URL": database.server.url("connector_service", database.name)}
    refused = await asyncio.to_thread(
        command, environment(database, **as_service), "audit", "prune", "--keep-days", "1"
    )
    assert refused.returncode == 1
    assert len(await database.rows("select from audit")) == 31
