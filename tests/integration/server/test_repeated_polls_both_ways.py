"""Polls that come again, with changes between: answered as by a service that keeps none of them."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from service.db import tokens
from service.domain.models import DeviceState
from service.web.app_keys import DATABASE
from tests.support.both_ways import BothWays, both_ways
from tests.support.database import TestDatabase
from tests.support.origins import PREPARED
from tests.support.raw import request
from tests.support.repeated_polls import AGENT, DEVICES, OWN, POLL, TARGETS, Again, be_live, told
from tests.support.server import ADMIN, AGENT_UID

pytestmark = pytest.mark.usefixtures("scripted_links")
CHANGES = re.compile(rb'(?<="cursor":"\.\.\.-)\d+|(?<=Content-Length: )\d+')
"""The number of changes in a cursor, and its length: a process may see several changes as one."""
STEPS = 80


@pytest.fixture
async def both(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BothWays]:
    async with both_ways(database, monkeypatch) as services:
        yield services


class Changes:
    """Changes of what polls show, made to both services."""

    def __init__(self, both: BothWays, database: TestDatabase, token_hash: bytes) -> None:
        self._servers, self._database, self._token = (both.ours, both.aiohttps), database, token_hash

    async def make(self, rng: random.Random) -> str:
        """One change. Returns what it was."""
        states = [server.link.states for server in self._servers]
        match rng.randrange(8):
            case 0:
                device, state = rng.choice([*DEVICES]), rng.choice([*DeviceState])
                for each in states:
                    each.apply(device, state)
                return f"{device} is {state}"
            case 1:
                for each in states:
                    each.lost()
                return "lost"
            case 2 | 3:
                for server in self._servers:
                    be_live(server)
                return "live"
            case _:
                statement, *values = rng.choice(self._statements(rng))
                await self._database.execute(statement, *values)
                for server in self._servers:
                    await told(server)
                return f"{statement} {values}"

    def _statements(self, rng: random.Random) -> list[tuple[Any, ...]]:
        number = rng.choice((OWN, "12343"))
        renewed = "insert into tokens (token_hash, user_id, expires_at) values ($1, 1795, now() + interval '1 hour')"
        return [
            ("update extensions set secret = $1 where extension = $2", f"secret {rng.random()}", number),
            ("update extensions set user_id = null where extension = $1", OWN),
            *[("update extensions set user_id = 1795 where extension = $1", OWN)] * 3,
            ("update extensions set enabled = not enabled where extension = $1", number),
            ("update users set active = false where user_id = 1795",),
            *[("update users set active = true where user_id = 1795",)] * 3,
            ("update users set user_type = $1 where user_id = 1795", rng.choice(("client", "agent", "admin"))),
            ("delete from tokens where token_hash = $1", self._token),
            *[(f"{renewed} on conflict do nothing", self._token)] * 3,
        ]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_changes_between_both_answer_the_same(
    both: BothWays, database: TestDatabase, again: Again, seed: int
) -> None:
    rng = random.Random(seed)
    token, _ = await tokens.issue(both.ours.app[DATABASE], AGENT, timedelta(hours=1), origin=PREPARED)
    for server in (both.ours, both.aiohttps):
        be_live(server)
        await told(server)
    agent = {"X-Auth-Token": token, "X-User-Id": AGENT_UID}
    callers = (agent, agent, ADMIN)
    changes = Changes(both, database, hashlib.sha256(token.encode()).digest())
    done: list[str] = []
    tags: dict[str, str] = {}
    for _ in range(STEPS):
        if rng.random() < 0.3:
            done.append(await changes.make(rng))
        target, caller = rng.choice((POLL, *TARGETS)), rng.choice(callers)
        lines = [f"{name}: {value}" for name, value in caller.items()]
        if rng.random() < 0.7:
            tag = tags.get(target, '"x"')
            given = rng.choice((tag, tag, tag, "*", f"W/{tag}", '"x"'))
            lines.append(f"If-None-Match: {given}")
        if rng.random() < 0.3:
            lines.append(f"Origin: https://{rng.choice('ab')}.example")
        ours, aiohttps = await both.answers([request(target, *lines)] * rng.choice((1, 2, 4)))
        assert CHANGES.sub(b"", ours) == CHANGES.sub(b"", aiohttps), (target, lines, done)
        for line in ours.decode().splitlines():
            if line.startswith("ETag: "):
                tags[target] = line.removeprefix("ETag: ")
    assert again.count > STEPS / 10
