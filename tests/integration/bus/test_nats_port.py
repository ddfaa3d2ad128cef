"""The bus over a real NATS server: what arrives, in which order, and what happens when the server is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest
import uvloop
from structlog.testing import capture_logs

from local.nats import Nats
from service.bus import nats_client
from service.bus.broker import Broker
from service.bus.nats_port import NatsFollowerPort
from service.bus.port import MAX_BODY
from tests.support.cutter import cutting
from tests.support.eventually import eventually
from tests.support.nats import Ends, ends

NOTICED_WITHIN = 4.0
"""Seconds until a silent line has ended: the ping's interval and deadline, and some for a busy machine."""


async def test_messages_arrive_whole_and_in_order_on_each_way(nats: Nats) -> None:
    async with ends(Broker((nats.server,)), server="odd name.*>") as bus:
        await bus.connected()
        many = [b"%d" % number for number in range(5000)]
        for body in many:
            bus.collector.publish("odd name.*>", body)
        await eventually(lambda: len(bus.told) == len(many))
        assert bus.told == [("odd name.*>", "c1", body) for body in many]

        bus.follower.send("odd name.*>", b"to all")
        bus.follower.send("odd name.*>", b"to one", to="c1")
        bus.follower.send("odd name.*>", b"to another", to="c2")
        bus.follower.send("odd name.*>", b"\x00\r\n" * (MAX_BODY // 3), to="c1")
        await eventually(lambda: len(bus.asked) == 3)
        assert {server for server, _, _ in bus.asked} == {"odd name.*>"}
        assert sorted(len(body) for _, _, body in bus.asked) == [6, 6, MAX_BODY // 3 * 3]

        address = bus.asked[0][1]
        bus.collector.send(address, "odd name.*>", b"an answer")
        bus.collector.publish("odd name.*>", b"after it")
        bus.collector.send("somebody else", "odd name.*>", b"not yours")
        await eventually(lambda: bus.bodies()[-2:] == [b"an answer", b"after it"])
        await round_trip(bus, "odd name.*>")
        assert b"not yours" not in bus.bodies()


async def test_a_follower_hears_its_own_call_servers_only(nats: Nats) -> None:
    async with ends(Broker((nats.server,))) as bus:
        await bus.connected()
        bus.collector.publish("other", b"not followed")
        await round_trip(bus)
        assert bus.bodies() == [b"round trip"]


async def test_nothing_of_an_outage_arrives_after_it(nats: Nats) -> None:
    """The server restarts: both ends are back within a second, and what was published meanwhile is gone."""
    async with ends(Broker((nats.server,))) as bus:
        await bus.connected()
        with capture_logs() as lines:
            nats.kill()
            await eventually(lambda: bus.neither_connected, NOTICED_WITHIN)
            for number in range(200):
                bus.collector.publish("main", b"late %d" % number)
            await asyncio.sleep(0.5)  # some attempts in vain
            nats.start()
            nats.wait_ready()
            started = time.monotonic()
            await bus.connected()
            assert time.monotonic() - started < 1.0
        await round_trip(bus)
        assert bus.bodies() == [b"round trip"]
        down = [(line["log_level"], line["event"]) for line in lines if line["event"] == "bus_down"]
        assert sorted(down, reverse=True)[:2] == [("warning", "bus_down")] * 2
        assert all(level == "debug" for level, _ in sorted(down, reverse=True)[2:])


async def test_a_frozen_server_is_noticed_and_then_heard_again(nats: Nats) -> None:
    async with ends(Broker((nats.server,))) as bus:
        await bus.connected()
        assert nats.process is not None
        nats.process.send_signal(SIGSTOP)
        try:
            bus.collector.publish("main", b"before anybody knew")
            await eventually(lambda: bus.neither_connected, NOTICED_WITHIN)
            await asyncio.sleep(2.5)  # so that an attempt waits in the server's queue of connections
        finally:
            nats.process.send_signal(SIGCONT)
        thawed = time.monotonic()
        await bus.connected()
        assert time.monotonic() - thawed < 2.5
        await round_trip(bus)
        assert bus.bodies()[-1] == b"round trip"


async def test_a_half_open_line_is_noticed(nats: Nats) -> None:
    async with cutting(nats.port) as cutter, ends(Broker((f"127.0.0.1:{cutter.port}",))) as bus:
        await bus.connected()
        cutter.hold()
        await eventually(lambda: bus.neither_connected, NOTICED_WITHIN)
        assert not bus.follower.connection.connected
        assert "no answer" in str(bus.follower.connection.failure)
        cutter.cut()
        cutter.resume()
        await bus.connected()


async def test_a_full_line_drops_messages_and_never_waits(nats: Nats) -> None:
    """Nothing is read at the other end: the memory of waiting messages has a bound, and the follower sees a gap."""
    body = b"x" * MAX_BODY
    async with cutting(nats.port) as cutter, ends(Broker((f"127.0.0.1:{cutter.port}",)), Broker((nats.server,))) as bus:
        await bus.connected()
        cutter.hold()
        started = time.monotonic()
        with capture_logs() as lines:
            for _ in range(2 * nats_client.MAX_UNSENT // MAX_BODY):
                bus.collector.publish("main", body)
        assert time.monotonic() - started < 1.0
        assert bus.collector.connection.dropped > 10
        assert [line["event"] for line in lines] == ["bus_messages_dropped"]
        cutter.resume()
        await eventually(lambda: bus.told)
        await round_trip(bus)
        assert 0 < bus.bodies().count(body) < 2 * nats_client.MAX_UNSENT // MAX_BODY


async def test_a_longer_body_than_the_server_takes_is_dropped(nats: Nats) -> None:
    nats.stop()
    nats.config = "max_payload: 1000"
    nats.start()
    nats.wait_ready()
    async with ends(Broker((nats.server,))) as bus:
        await bus.connected()
        bus.collector.publish("main", b"x" * 1001)
        await round_trip(bus)
        assert bus.bodies() == [b"round trip"]
        assert bus.both_connected


async def test_of_several_servers_one_that_answers_is_found(nats: Nats) -> None:
    async with cutting(nats.port) as cutter:
        cutter.hold()
        silent = f"127.0.0.1:{cutter.port}"
        async with ends(Broker((silent, nats.server)), Broker((nats.server, silent))) as bus:
            await bus.connected(NOTICED_WITHIN)
            await round_trip(bus)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_sending_on_a_line_that_has_just_ended_raises_nothing(nats: Nats, run: Callable[[Any], None]) -> None:
    """uvloop's transports raise RuntimeError then, at each question."""

    async def send_on_after_the_end() -> None:
        async with ends(Broker((nats.server,))) as bus:
            await bus.connected()
            assert nats.process is not None
            nats.process.send_signal(SIGSTOP)
            for _ in range(1000):  # what it has not read makes its end a reset
                bus.collector.publish("main", b"x" * 1000)
            await asyncio.sleep(0.1)
            nats.kill()
            with capture_logs() as lines:
                for _ in range(2000):
                    bus.collector.publish("main", b"x" * 1000)
                    bus.follower.send("main", b"x")
                    await asyncio.sleep(0)
            assert not [line for line in lines if line["event"] == "bus_messages_dropped"]
            await eventually(lambda: bus.neither_connected, NOTICED_WITHIN)
            nats.start()
            await bus.connected()

    run(send_on_after_the_end())


async def test_what_is_sent_without_a_connection_is_dropped() -> None:
    port = NatsFollowerPort(Broker(("127.0.0.1:1",)), ["main"])
    port.send("main", b"to nobody")
    assert not port.connection.connected


async def round_trip(bus: Ends, server: str = "main") -> None:
    """Wait until a publication arrives: all before it have arrived, or never will."""
    bus.collector.publish(server, b"round trip")
    await eventually(lambda: b"round trip" in bus.bodies())
