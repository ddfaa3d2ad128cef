"""How long the service takes, to the millisecond: what no test in real time could tell from a busy machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from service.ami.accounts import Account
from service.ami.client import LIST_SILENCE
from service.ami.connection import NullEvents, connect
from service.ami.link import Link
from service.domain.models import Extension, Phone, Profile
from service.errors import CallServerUnavailable
from tests.simulation.server import PORT, AmiServer
from tests.simulation.session import SECRET

DEADLINE = 2.0
NUMBER = "1001"
PHONE = Phone(phone_id=1, endpoint=NUMBER, auth_username=NUMBER, secret="s", profile=Profile.SIP)
EXTENSION = Extension(NUMBER, "main", True, None, NUMBER, (PHONE,))


def account(name: str) -> Account:
    return Account("asterisk", PORT, name, SECRET)


def run(work: Callable[[worlds.World, AmiServer], Coroutine[Any, Any, None]], seed: int = 0) -> None:
    """Run work on the connector's machine, with an Asterisk that has one phone."""

    async def main(world: worlds.World) -> None:
        server = AmiServer(world)
        server.asterisk.add_endpoint(NUMBER, tracked=True)
        world.set_latency("connector", "asterisk", 0, 0)
        await world.start("asterisk", server.listen(), "listen")
        await world.start("connector", work(world, server), "work")

    error = worlds.run(seed, main).error
    if error is not None:
        raise error


async def until(holds: Callable[[], bool], within: float, every: float = 0.001) -> float:
    """Wait until it holds; the seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not holds():
        assert loop.time() < began + within, f"not within {within} s"
        await asyncio.sleep(every)
    return loop.time() - began


def start_link(world: worlds.World, **values: Any) -> tuple[Link, asyncio.Task[Any]]:
    link = Link("main", account("monitor"), deadline=DEADLINE, **values)
    link.follow([EXTENSION], set())
    return link, world.start("connector", link.run(), "link")


async def end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_line_that_died_before_a_list_is_noticed_as_soon_as_one_that_dies_in_it() -> None:
    async def work(world: worlds.World, server: AmiServer) -> None:
        async with connect(account("monitor"), NullEvents()) as client:
            await client.ping(DEADLINE)
            server.hold(reads=False, writes=False)
            died_at = world.monotonic()
            await asyncio.sleep(3.0)
            with pytest.raises(CallServerUnavailable, match="nothing else for 10 s"):
                await client.device_states()
            assert world.monotonic() - died_at <= LIST_SILENCE + 0.001

    run(work)


def test_an_idle_connection_has_half_of_the_silence_for_a_list() -> None:
    async def work(world: worlds.World, server: AmiServer) -> None:
        async with connect(account("monitor"), NullEvents()) as client:
            await asyncio.sleep(60.0)
            server.hold(reads=False, writes=False)
            listing = asyncio.ensure_future(client.device_states())
            await asyncio.sleep(LIST_SILENCE / 2 - 0.1)
            server.hold(reads=True, writes=True)
            assert await listing

    run(work)


def test_a_reload_by_the_account_sync_that_a_lost_line_ended_is_tried_again_soon() -> None:
    async def work(world: worlds.World, server: AmiServer) -> None:
        server.asterisk.register(NUMBER)
        server.asterisk.stop()
        server.asterisk.start(remembers_contacts=True, loses=1.0)
        server.asterisk.list_some(9)
        server.asterisk.booted = True
        link, task = start_link(world, sync=account("sync"))
        await until(lambda: any(each.account == "sync" and each.busy for each in server.sessions), 30.0)
        server.cut(silently=False)
        took = await until(lambda: link.read(EXTENSION).live, 60.0)
        assert took < 20.0
        await end(task)

    run(work)
