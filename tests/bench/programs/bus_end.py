"""One end of the bus over NATS, by itself in a process: a collector with its link, or a follower, watched.

    AMI_SECRET=... python -m tests.bench.programs.bus_end collector NATS NAME PORT
    python -m tests.bench.programs.bus_end follower NATS

NATS is the broker's host:port, PORT is AMI's. A collector tells when its link is live, and a follower when its map is.
A follower then tells the delays between the marks of `storm_source`, as `link_probe` does of a link.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Set
from typing import Any

import structlog

from service.ami.accounts import Account
from service.ami.link import Link
from service.bus.broker import Broker
from service.bus.collector import Collector
from service.bus.entries import Table
from service.bus.followed import FollowedCallServer
from service.bus.following import Following
from service.bus.nats_port import NatsCollectorPort, NatsFollowerPort
from service.clock import uptime
from service.runtime import event_loop
from tests.bench.programs.link_probe import Watch
from tests.bench.rig.processes import emit
from tests.support.eventually import eventually

DEADLINE = 10.0
CALL_SERVER = "main"


class WatchedCallServer(FollowedCallServer):
    """The follower's call server as it is; it only tells what is put into it."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(CALL_SERVER, deadline=DEADLINE, clock=uptime)
        self._watch = watch

    def put(self, table: Table, values: Mapping[Any, Any], read: Set[str] = frozenset()) -> None:
        super().put(table, values, read)
        if table == "devices":
            for device in values:
                self._watch.mark(device)


async def collect(broker: Broker, name: str, port: int) -> None:
    """Publish until killed."""
    link = Link(CALL_SERVER, Account("127.0.0.1", port, "monitor", os.environ["AMI_SECRET"]), deadline=DEADLINE)
    collector = Collector(
        [NatsCollectorPort(broker, [CALL_SERVER], name)],
        {CALL_SERVER: link},
        {},
        {},
        call_soon=asyncio.get_running_loop().call_soon,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(collector.run())
        tasks.create_task(link.run())
        await eventually(lambda: link.states.current, 60, "the link is live")
        emit(live=True)


async def follow(broker: Broker) -> None:
    """Follow until killed."""
    watch = Watch()
    server = WatchedCallServer(watch)
    following = Following(NatsFollowerPort(broker, [CALL_SERVER]), {CALL_SERVER: server}, deadline=DEADLINE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(following.run())
        await eventually(lambda: server.states.current, 60, "the map is live")
        watch.begin()
        emit(live=True)


def main(end: str, nats: str, *arguments: str) -> None:
    structlog.configure(  # standard output is for what is told
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    broker = Broker((nats,))
    with asyncio.Runner(loop_factory=event_loop.factory()) as runner:
        if end == "collector":
            name, port = arguments
            runner.run(collect(broker, name, int(port)))
        else:
            runner.run(follow(broker))


if __name__ == "__main__":
    main(*sys.argv[1:])
