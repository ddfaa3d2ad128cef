"""`make upgrade` under traffic: no request fails, no stream is refused, and no phone notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.compose.production import BROKEN, NAME, NEW, OLD, REPLICAS, Production
from tests.support.eventually import eventually

TAGS = (NEW, OLD) if os.environ.get("NIGHTLY") else (NEW,)
"""`make nightly` goes back as well. What follows works with the last of them."""
LAST = TAGS[-1]
EXTENSION, PASSWORD = "3001", "k3y-0f-Zq9x-3001"
API = f"https://{NAME}/api/v1"
OPTIONS = (
    "OPTIONS sip:{name} SIP/2.0\r\nVia: SIP/2.0/WSS held.invalid;branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n"
    "From: <sip:held@{name}>;tag=held\r\nTo: <sip:{name}>\r\nCall-ID: held-{number}\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


class Here(AbstractResolver):
    """Resolves each name to one address."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=self._address,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None: ...


@dataclass
class Clients:
    """Clients that never try again: what is not answered as it should be is kept as a failure."""

    headers: dict[str, str]
    session: aiohttp.ClientSession
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stopping: bool = False

    @contextlib.asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        kinds = (self.poll, self.poll_anew, self.long_poll, self.log_in, self.stream)
        tasks = [asyncio.create_task(self._repeat(kind), name=kind.__name__) for kind in kinds]
        try:
            yield
        finally:
            self.stopping = True
            await asyncio.wait(tasks, timeout=20)
            for task in tasks:
                task.cancel()

    async def go_on(self) -> None:
        """Wait until each kind was served twice more."""
        before = Counter(self.done)
        kinds = ("poll", "poll_anew", "long_poll", "log_in", "stream")
        await eventually(
            lambda: all(self.done[kind] >= before[kind] + 2 for kind in kinds), 60, f"traffic: {self.done}"
        )

    async def _repeat(self, kind: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while not self.stopping:
            try:
                await kind()
                self.done[kind.__name__] += 1
            except (aiohttp.ClientError, TimeoutError, AssertionError) as error:
                self.failures.append(f"{kind.__name__}: {error!r}")
                await asyncio.sleep(0.1)

    async def poll(self, **more: str) -> None:
        path = f"{API}/connector.extension.getRegistrationInfoByUserId?id={self.headers['X-User-Id']}"
        async with self.session.get(path, headers={**self.headers, **more}) as answer:
            assert answer.status == 200, await answer.text()
            told = (await answer.json())["extensionDetails"]["state"], answer.headers["x-state-live"]
            assert told == ("Not in use", "true"), told
        await asyncio.sleep(0.05)

    async def poll_anew(self) -> None:
        """On a connection of its own, to Caddy."""
        await self.poll(Connection="close")

    async def long_poll(self) -> None:
        """Held, until the replica that holds it ends, or for two seconds."""
        path = f"{API}/presence?extension={EXTENSION}"
        async with self.session.get(path, headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            cursor = (await answer.json())["cursor"]
        async with self.session.get(f"{path}&since={cursor}&wait=2", headers=self.headers) as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.json()
            assert all(line["state"] == "Not in use" for line in told["presence"]), told

    async def log_in(self) -> None:
        """Requests that no proxy may repeat."""
        async with self.session.post(f"{API}/login", json={"user": "held", "password": "held-password"}) as answer:
            assert answer.status == 200, await answer.text()
            data = (await answer.json())["data"]
        headers = {"X-Auth-Token": data["authToken"], "X-User-Id": data["userId"]}
        async with self.session.post(f"{API}/logout", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        await asyncio.sleep(0.2)

    async def stream(self) -> None:
        """One stream, read until its replica ends it or the test stops; it begins with the state as it is."""
        path = f"{API}/presence/stream?extension={EXTENSION}"
        async with self.session.get(path, headers=self.headers, timeout=aiohttp.ClientTimeout(sock_read=60)) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                if line.startswith(b"data:"):
                    states = {each["state"] for each in json.loads(line[5:]).get("presence", [])}
                    assert states <= {"Not in use"}, line
                self.done["stream"] += 1
                if self.stopping:
                    return


@contextlib.asynccontextmanager
async def clients(production: Production, headers: dict[str, str]) -> AsyncIterator[Clients]:
    context = await asyncio.to_thread(production.authority)
    connector = aiohttp.TCPConnector(resolver=Here(production.address), ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield Clients(headers, session)


async def still_answers(held: aiohttp.ClientWebSocketResponse, number: int) -> bool:
    """Whether Asterisk answers on this WebSocket. It also sends blank lines, to keep the connection open."""
    await held.send_str(OPTIONS.format(name=NAME, number=number))
    while (message := await held.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
        if str(message.data).strip():
            return str(message.data).startswith("SIP/2.0 ")
    return False


async def test_an_upgrade_and_a_roll_back_fail_no_request_and_drop_no_phone(
    production: Production, record_property: Callable[[str, object], None]
) -> None:
    headers = await asyncio.to_thread(production.person, "held", EXTENSION, "sip", PASSWORD)
    with production.phone(EXTENSION, PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        async with clients(production, headers) as traffic:
            await eventually(lambda: state_is(traffic, "Not in use"), 30, "the phone is seen by both")
            async with traffic.session.ws_connect(f"wss://{NAME}/ws", protocols=["sip"]) as held, traffic.busy():
                assert await still_answers(held, 1)
                await traffic.go_on()
                for number, tag in enumerate(TAGS, 2):
                    done = await asyncio.to_thread(production.upgrade, tag)
                    assert done.returncode == 0, done.stdout + done.stderr
                    assert [production.tag_of(replica) for replica in REPLICAS] == [tag, tag]
                    assert f"SERVICE_TAG={tag}\n" in production.env.read_text()
                    assert await still_answers(held, number)
                    await traffic.go_on()
            assert traffic.failures[:5] == []
            record_property("measured", f"{sum(traffic.done.values())} requests and events, none failed")


async def state_is(traffic: Clients, state: str) -> bool:
    """Whether several polls in a row say so, whichever replica answers."""
    with contextlib.suppress(AssertionError):
        for _ in range(5):
            await traffic.poll()
        return True
    return False


def test_a_release_that_does_not_start_is_taken_back_and_the_other_replica_was_not_touched(
    production: Production,
) -> None:
    before = production.container("service-b")["State"]["StartedAt"]
    done = production.upgrade(BROKEN)
    assert done.returncode == 1
    assert f"service does not run with {BROKEN}, and has {LAST} again" in done.stderr
    assert [production.tag_of(replica) for replica in REPLICAS] == [LAST, LAST]
    assert production.container("service-b")["State"]["StartedAt"] == before
    assert f"SERVICE_TAG={LAST}\n" in production.env.read_text()


def test_a_tag_without_an_image_and_settings_that_are_not_valid_change_nothing(production: Production) -> None:
    before = [production.container(replica)["Id"] for replica in REPLICAS]
    assert "there is no image" in production.upgrade("0.0.1").stderr
    settings = production.env.read_text()
    production.env.write_text(f"{settings}CONNECTOR_WORKRES=2\n")
    try:
        refused = production.upgrade(OLD)
    finally:
        production.env.write_text(settings)
    assert "CONNECTOR_WORKRES: there is no such setting" in refused.stderr
    assert [production.container(replica)["Id"] for replica in REPLICAS] == before


def test_an_up_after_an_upgrade_restarts_no_server(production: Production) -> None:
    servers = ("caddy", *REPLICAS, "postgres", "asterisk")
    before = [production.container(server)["State"]["StartedAt"] for server in servers]
    production.compose("up", "--detach", timeout_s=300)
    assert [production.tag_of(replica) for replica in REPLICAS] == [LAST, LAST]
    assert [production.container(server)["State"]["StartedAt"] for server in servers] == before
