"""Clients of all kinds at once, behind what a load balancer would be: they poll, log in, read, create and change users.

They never try again: whatever is not answered as it should be is kept as a failure. What they were told is written is
kept too, for a comparison with the database at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION

TOKEN = {"X-Auth-Token": ADMIN["X-Auth-Token"]}
AGENT = {"user": "dnhai", "password": "demo-agent-password"}
FREE_PHONE = "free-phone"
"""An extension of nobody, which the database must have: it is given and taken all the time."""


@dataclass
class Traffic:
    """`ports` are the replicas that take new requests; a test adds and removes them as an operator would."""

    ports: list[int]
    seed: int = field(default_factory=lambda: random.randrange(2**32))
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    made: dict[int, str] = field(default_factory=dict)
    """The users that were created, with the full names that they have now."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Ask until the block ends, each kind of client without a pause."""
        print("traffic of seed", self.seed)
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(timeout=timeout) as self._session:
            kinds = (self._poll, self._poll, self._presence, self._log_in, self._read, self._create, self._assign)
            tasks = [asyncio.create_task(self._repeat(kind), name=kind.__name__) for kind in kinds]
            try:
                yield
            finally:
                self._stopping = True
                await asyncio.wait(tasks, timeout=20)
                for task in tasks:
                    task.cancel()

    async def goes_on(self, times: int = 3, within: float = 60.0) -> None:
        """Wait until each kind of request was answered so many times more, none wrongly."""
        before = Counter(self.done)
        kinds = ("poll", "presence", "log_in", "read", "create", "assign")

        def enough() -> bool:
            assert not self.failures, self.failures[:5]
            return all(self.done[kind] >= before[kind] + times for kind in kinds)

        await eventually(enough, within, f"{times} more of each; seed {self.seed}, done {self.done}")

    async def is_kept(self, database: TestDatabase) -> None:
        """Everything that was said to be written is in the database."""
        rows = await database.rows("select user_id, fullname from users where name like 'traffic-%'")
        assert {row["user_id"]: row["fullname"] for row in rows} == self.made

    _stopping = False

    async def _repeat(self, kind: Any) -> None:
        while not self._stopping:
            try:
                await kind()
            except (aiohttp.ClientError, TimeoutError, AssertionError) as error:
                self.failures.append(f"{kind.__name__}: {error!r}")
                await asyncio.sleep(0.05)

    async def _ask(self, method: str, target: str, wanted: int = 200, **options: Any) -> Any:
        """One request to any replica. Raises AssertionError unless it is answered as it should be."""
        async with self._session.request(
            method, f"http://127.0.0.1:{self._random.choice(self.ports)}{target}", **options
        ) as answer:
            assert answer.status == wanted, f"{method} {target}: {answer.status} {await answer.text()}"
            return await answer.json()

    async def _poll(self) -> None:
        told = await self._ask("GET", f"{REGISTRATION}?id={AGENT_UID}", headers=ADMIN)
        assert told["extensionDetails"]["extension"] == "12342", told
        self.done["poll"] += 1
        await asyncio.sleep(0.01)

    async def _presence(self) -> None:
        told = await self._ask("GET", "/api/v1/presence?extension=12342", headers=ADMIN)
        assert [item["extension"] for item in told["presence"]] == ["12342"], told
        self.done["presence"] += 1
        await asyncio.sleep(0.05)

    async def _log_in(self) -> None:
        """The token that one replica gives is good at any other at once, and ends everywhere."""
        told = (await self._ask("POST", "/api/v1/login", json=AGENT))["data"]
        headers = {"X-Auth-Token": told["authToken"], "X-User-Id": told["userId"]}
        await self._ask("GET", f"{REGISTRATION}?id={AGENT_UID}", headers=headers)
        await self._ask("POST", "/api/v1/logout", headers=headers)
        self.done["log_in"] += 1

    async def _read(self) -> None:
        told = await self._ask("GET", "/user/1795", headers=TOKEN)
        assert told["payload"]["user_id"] == 1795, told
        self.done["read"] += 1
        await asyncio.sleep(0.02)

    async def _create(self) -> None:
        name = f"traffic-{self.seed}-{len(self.made)}"
        new = {"name": name, "passwd": "a good password", "user_type": "agent", "fullname": name}
        user_id = (await self._ask("POST", "/user/create", headers=TOKEN, json=new))["payload"]["user_id"]
        self.made[user_id] = name
        changed = f"{name} changed"
        await self._ask("PATCH", f"/user/{user_id}", headers=TOKEN, json={"fullname": changed})
        self.made[user_id] = changed
        told = await self._ask("GET", f"/v1/user/{user_id}", headers=TOKEN)
        assert told["payload"]["fullname"] == changed, told
        self.done["create"] += 1

    async def _assign(self) -> None:
        path = "/api/v1/omnichannel/agent/extension"
        await self._ask("POST", path, headers=ADMIN, json={"username": "nophone", "extension": FREE_PHONE})
        await self._ask("DELETE", f"{path}/nophone", headers=ADMIN)
        self.done["assign"] += 1
        await asyncio.sleep(0.05)
