"""The service in the test's own loop, with a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import structlog
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from service.ami.link import Link
from service.cli.demo import ADMIN_TOKEN
from service.db import tokens
from service.runtime.app import run_app
from service.settings import Settings
from service.web.app_keys import DATABASE, LINKS
from service.web.server.runner import HttpRunner
from tests.support.database import HASH_ROUNDS, TestDatabase, cloned
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx
from tests.support.raw import RawAnswer, raw, request
from tests.support.seeds import REGISTRATION as REGISTRATION_INFO

ADMIN_UID, AGENT_UID = "6vHSSqdBHdm2R4gfi", "ByehQjC44FwMeiLbX"
REGISTRATION = "/api/v1/connector.extension.getRegistrationInfoByUserId"
ADMIN = {"X-Auth-Token": ADMIN_TOKEN, "X-User-Id": ADMIN_UID}


@dataclass
class Server:
    """A running service. `client` speaks HTTP to it."""

    client: TestClient[web.Request, web.Application]
    app: web.Application
    settings: Settings

    @property
    def port(self) -> int:
        assert self.client.port is not None
        return self.client.port

    @property
    def link(self) -> Link:
        link = self.app[LINKS]["main"]
        assert isinstance(link, Link)
        return link

    async def login(self, user: str, password: str) -> dict[str, str]:
        """The two headers of somebody who logs in."""
        answer = await self.client.post("/api/v1/login", json={"user": user, "password": password})
        assert answer.status == 200, await answer.text()
        data = (await answer.json())["data"]
        return {"X-Auth-Token": data["authToken"], "X-User-Id": data["userId"]}

    async def headers_of(self, user_id: int = 1795, uid: str = AGENT_UID) -> dict[str, str]:
        """The two headers of somebody who was given a token, without the time that a login takes."""
        token, _ = await tokens.issue(self.app[DATABASE], user_id, timedelta(hours=1), origin=PREPARED)
        return {"X-Auth-Token": token, "X-User-Id": uid}

    async def raw(self, target: str, *headers: str, method: str = "GET", body: bytes = b"") -> RawAnswer:
        """Ask with a target and header lines that go out as they are given."""
        data = request(target, *headers, method=method, body=body)
        return await raw(self.port, data, bodiless=method == "HEAD")

    async def registration(self, uid: str = AGENT_UID, headers: dict[str, str] = ADMIN) -> ClientResponse:
        """The registration info of somebody, as the admin unless `headers` say otherwise."""
        return await self.client.get(REGISTRATION, params={"id": uid}, headers=headers)

    async def state(self, uid: str = AGENT_UID) -> str:
        """The state of somebody's line as a softphone sees it; a `?` follows one that is not live."""
        answer = await self.registration(uid)
        assert answer.status == 200, await answer.text()
        state: str = (await answer.json())["extensionDetails"]["state"]
        return state if answer.headers["X-State-Live"] == "true" else f"{state} ?"

    async def answers(
        self, status: int, headers: dict[str, str] = ADMIN, uid: str = AGENT_UID, within: float = 30
    ) -> None:
        """Wait until somebody's registration is answered like this: a change in PostgreSQL has got here."""

        async def there() -> bool:
            return (await self.registration(uid, headers)).status == status

        await eventually(there, within, f"registration info answers {status}")

    async def shows(self, state: str, uid: str = AGENT_UID, within: float = 14.0) -> None:
        """Wait until somebody's line has this state; a `?` follows one that is not live.

        By default less than the 15 seconds after which a device without a state is tried again.
        """

        async def there() -> bool:
            return await self.state(uid) == state

        await eventually(there, within, f"{uid} is {state}")


class _Server(TestServer):
    async def _make_runner(self, **options: Any) -> HttpRunner:
        return HttpRunner(self.app, **options)


Start = Callable[..., Awaitable[Server]]


@asynccontextmanager
async def serving(settings: Settings, hash_rounds: int = HASH_ROUNDS, port: int | None = None) -> AsyncIterator[Server]:
    """A service, until the block ends. Whatever happens to it meanwhile, no task of its own may end by itself."""
    async with run_app(settings, hash_rounds=hash_rounds) as (app, supervisor):
        client: TestClient[web.Request, web.Application] = TestClient(_Server(app, port=port))
        async with client:
            yield Server(client, app, settings)
        assert not supervisor.failed.done(), supervisor.failed.result()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts services; all end with the test."""
    async with AsyncExitStack() as stack:

        async def starting(settings: Settings, hash_rounds: int = HASH_ROUNDS) -> Server:
            return await stack.enter_async_context(serving(settings, hash_rounds))

        yield starting


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    """A service over a database of its own, whose Asterisk is away."""
    return await start(database.settings())


@pytest.fixture(scope="module")
async def shared(template: TestDatabase) -> AsyncIterator[Server]:
    """A service for all tests of a module that only ask: starting one takes longer than most questions."""
    with cloned(template) as database:
        async with serving(database.settings()) as server:
            yield server


@pytest.fixture(scope="module")
async def phoned(pbx: Pbx) -> AsyncIterator[Server]:
    """A service with the demo's data, in front of an Asterisk at which the demo's first phone is registered."""
    reached = {"host": "127.0.0.1", "websocket_port": pbx.asterisk.config.http_port, "websocket_scheme": "ws"}
    async with serving(pbx.settings(**reached, public_url="https://phone.example.com")) as server:
        phone = pbx.phone("12342", REGISTRATION_INFO["extensionDetails"]["password"])
        await asyncio.to_thread(phone.start)
        try:
            await asyncio.to_thread(phone.wait_registered)
            await server.shows("Not in use", within=30)
            yield server
        finally:
            await asyncio.to_thread(phone.stop)


@pytest.fixture
def logged() -> Iterator[list[dict[str, object]]]:
    """What the service logs."""
    structlog.configure(cache_logger_on_first_use=False)
    with capture_logs() as lines:
        yield lines  # type: ignore[misc]


async def told(answer: ClientResponse) -> tuple[int, Any]:
    """Status and JSON body."""
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer.status, await answer.json()
