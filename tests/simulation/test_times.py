"""How long the service takes, to the millisecond: what no test in real time could tell from a busy machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from service.ami.accounts import Account
from service.ami.client import LIST_SILENCE, AmiClient
from service.ami.connection import NullEvents, connect
from service.ami.link import Link
from service.ami.protocol import NoAnswer
from service.domain.directory import Directory
from service.domain.models import Extension, Phone, Profile
from service.domain.queue_entries import QueueSnapshot
from service.errors import CallServerUnavailable
from service.runtime.presence_composer import MIN_CHECK_INTERVAL, PAST_DEADLINE, PresenceComposer
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


def forgetful_restart(server: AmiServer) -> None:
    """Restart Asterisk: it has the contacts, and does not know that their endpoints are registered."""
    server.asterisk.stop()
    server.asterisk.start(remembers_contacts=True, loses=1.0)
    server.asterisk.list_some(9)
    server.asterisk.booted = True


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
        forgetful_restart(server)
        link, task = start_link(world, sync=account("sync"))
        await until(lambda: any(each.account == "sync" and each.busy for each in server.sessions), 30.0)
        server.cut(silently=False)
        took = await until(lambda: link.read(EXTENSION).live, 60.0)
        assert took < 20.0
        await end(task)

    run(work)


def test_endpoints_are_reloaded_soon_after_a_refused_account_sync_is_accepted_and_few_logins_are_refused() -> None:
    """The endpoints of a call server share the account: one refusal stands for all of them."""

    async def work(world: worlds.World, server: AmiServer) -> None:
        server.asterisk.register(NUMBER)
        forgetful_restart(server)
        server.secrets["sync"] = "another"
        link, task = start_link(world, sync=account("sync"))
        await asyncio.sleep(100.0)
        assert not link.read(EXTENSION).live
        assert 2 <= server.refused["sync"] <= 8
        server.secrets["sync"] = SECRET
        assert await until(lambda: link.read(EXTENSION).live, 60.0) < 50.0
        await end(task)

    run(work)


def test_an_endpoint_is_reloaded_again_soon_after_asterisk_was_restarted_in_the_middle() -> None:
    """The reload was done, and nothing of what it brought was heard before the line was lost."""

    async def work(world: worlds.World, server: AmiServer) -> None:
        server.asterisk.register(NUMBER)
        forgetful_restart(server)
        link, task = start_link(world, sync=account("sync"))
        reloaded_at = link.tracker._reloads._at
        await until(lambda: bool(reloaded_at), 30.0)
        await asyncio.sleep(0.001 * world.seed)
        server.cut(silently=False)
        forgetful_restart(server)
        assert await until(lambda: link.read(EXTENSION).live, 90.0) < 50.0
        await end(task)

    for seed in range(0, 20, 5):
        run(work, seed)


def test_a_list_of_queues_that_was_not_answered_is_taken_again_soon() -> None:
    """Three times it is not: the delays double."""

    async def work(world: worlds.World, server: AmiServer) -> None:
        link, task = start_link(world)
        await until(lambda: link.queues is not None, 10.0)
        answers, unanswered = AmiClient.queues, 3

        async def none_at_first(client: AmiClient) -> QueueSnapshot:
            nonlocal unanswered
            unanswered -= 1
            if unanswered >= 0:
                raise NoAnswer("QueueStatus: no answer")
            return await answers(client)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(AmiClient, "queues", none_at_first)
            link._queue_sync.request_list()
            await until(lambda: link.queues is None, 5.0)
            assert await until(lambda: link.queues is not None, 60.0) <= 1.0 + 2.0 + 4.0 + 0.01
        await end(task)

    run(work)


def test_a_live_item_of_the_feed_ends_with_the_deadline() -> None:
    async def work(world: worlds.World, server: AmiServer) -> None:
        link, task = start_link(world)
        composer = composed(world, link)
        composing = world.start("connector", composer.run(), "composer")
        await until(lambda: shown(composer), 10.0)
        await asyncio.sleep(5.0 + 0.37 * world.seed)
        server.hold(reads=False, writes=False)
        await until(lambda: not link.read(EXTENSION).live, 10.0, every=0.000_1)
        assert await until(lambda: not shown(composer), 1.0, every=0.000_1) <= PAST_DEADLINE + 0.000_2
        await end(task)
        await end(composing)

    for seed in range(8):
        run(work, seed)


def test_a_live_item_ends_with_a_deadline_that_is_near_when_the_link_becomes_live() -> None:
    """As behind a slow network: the link was down when the composer decided when to look again."""

    async def work(world: worlds.World, server: AmiServer) -> None:
        world.set_latency("connector", "asterisk", 0.8, 0.8)
        link, task = start_link(world)
        composer = composed(world, link)
        await asyncio.sleep(0.05 * world.seed)
        composing = world.start("connector", composer.run(), "composer")
        await until(lambda: shown(composer), 30.0, every=0.000_5)
        server.hold(reads=False, writes=False)
        await until(lambda: not link.read(EXTENSION).live, 10.0, every=0.000_1)
        assert await until(lambda: not shown(composer), 1.0, every=0.000_1) <= PAST_DEADLINE + 0.000_2
        await end(task)
        await end(composing)

    for seed in range(0, 20, 5):
        run(work, seed)


def test_an_item_that_was_composed_in_a_silent_moment_is_live_again_soon() -> None:
    async def work(world: worlds.World, server: AmiServer) -> None:
        link, task = start_link(world)
        composer = composed(world, link)
        await until(lambda: link.states.current, 10.0)
        composing = world.start("connector", composer.run(), "composer")
        server.asterisk.register(NUMBER)  # changes are heard: a routine snapshot, which touches all, is far
        await asyncio.sleep(30.0)
        world.suspended += DEADLINE + 1.0  # silent at once, and no check is due
        composer.feed.touch([NUMBER])
        composer.feed.flush()
        assert not shown(composer)
        link.states.confirm(world.uptime())
        assert await until(lambda: shown(composer), 10.0) <= MIN_CHECK_INTERVAL + 0.002
        await end(task)
        await end(composing)

    run(work)


def composed(world: worlds.World, link: Link) -> PresenceComposer:
    """A feed of the one extension."""
    directory = Directory(world.uptime, world.wall)
    directory.put_extension(NUMBER, EXTENSION)
    composer = PresenceComposer(directory)
    composer.follow({"main": link})
    composer.feed.touch([NUMBER])
    return composer


def shown(composer: PresenceComposer) -> bool:
    """Whether the feed's item is live, without a look at the link."""
    item = composer.feed.get(NUMBER)
    return item is not None and item.live
