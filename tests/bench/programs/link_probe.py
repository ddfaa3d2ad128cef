"""The service's link to an Asterisk, by itself in a process, watched.

    AMI_SECRET=... python -m tests.bench.programs.link_probe PORT EXTENSIONS MODE

It runs on the loop that the service runs on and follows so many EXTENSIONS of `people`. Tells the port of an echo
beside it, when it is live, and when the marks of `storming` come by. Mode `memory` traces what it allocates; `stock` is
not this link but panoramisk as it is, with one synchronous callback.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
import tracemalloc
from typing import Any, cast

import panoramisk
import structlog
from panoramisk.message import Message

from service.ami.accounts import Account
from service.ami.client import AmiClient
from service.ami.link import Link
from service.domain.models import DeviceState
from service.runtime import event_loop
from tests.bench.rig.loop_ticks import TICK, Ticks
from tests.bench.rig.people import FIRST
from tests.bench.rig.processes import emit
from tests.support.stored import stored_extension

BEGIN, END, STAMP = "Custom:begin-", "Custom:end-", "Custom:at-"


class Watch(Ticks):
    """What happens between two marks: events, CPU time, how long the loop was held at most."""

    def __init__(self) -> None:
        super().__init__()
        self.events = 0
        self.delays: list[int] = []
        self._cpu = 0.0

    def mark(self, device: str) -> None:
        """An event was applied."""
        self.events += 1
        if device.startswith(STAMP):
            self.delays.append(time.monotonic_ns() - int(device.removeprefix(STAMP)))
        elif device.startswith(BEGIN):
            self.events, self.held, self.delays = 0, 0.0, []
            self._cpu = time.process_time()
            emit(mark=device, at=time.monotonic())
        elif device.startswith(END):
            at, cpu = time.monotonic(), time.process_time() - self._cpu
            # Told in the next turn, so that this one counts.
            asyncio.get_running_loop().call_later(
                3 * TICK,
                lambda: emit(mark=device, at=at, cpu=cpu, events=self.events, held=self.held, delays=self.delays),
            )


class WatchedLink(Link):
    """The link as it is; it only tells what it does."""

    def __init__(self, account: Account, watch: Watch) -> None:
        super().__init__("main", account, deadline=10.0)
        self.watch = watch
        self._booted_at = self._booted_cpu = 0.0
        self._booted_traced = 0

    def on_device_state(self, device: str, state: DeviceState) -> None:
        super().on_device_state(device, state)
        self.watch.mark(device)

    def on_event(self, name: str, message: Message) -> None:
        if name == "FullyBooted":
            self._booted_traced = _traced()
            self._booted_at, self._booted_cpu, self.watch.held = time.monotonic(), time.process_time(), 0.0
        super().on_event(name, message)

    async def _resynchronise(self, connection: AmiClient) -> None:
        await super()._resynchronise(connection)
        took, cpu = time.monotonic() - self._booted_at, time.process_time() - self._booted_cpu
        traced = _traced() - self._booted_traced
        emit(live=took, cpu=cpu, devices=len(self.states), traced=traced, held=self.watch.held)


def _traced() -> int:
    """Bytes that live objects take, in mode `memory`."""
    if tracemalloc.is_tracing():
        gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def ours(port: int, extensions: frozenset[str]) -> None:
    """Follow until killed."""
    watch = Watch()
    echo = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    emit(echo=echo.sockets[0].getsockname()[1])
    link = WatchedLink(Account("127.0.0.1", port, "monitor", os.environ["AMI_SECRET"]), watch)
    link.follow(map(stored_extension, sorted(extensions)), set())
    watch.begin()
    await link.run()


class Echo(asyncio.Protocol):
    """The least that a loop can do with bytes: send them back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def stock(port: int) -> None:
    """panoramisk as its documentation shows it, keeping a dictionary of states."""
    watch = Watch()
    states: dict[str, str] = {}
    emit(echo=None)
    manager = panoramisk.Manager(
        host="127.0.0.1", port=port, username="monitor", secret=os.environ["AMI_SECRET"],
        loop=asyncio.get_running_loop(),
    )  # fmt: skip

    @manager.register_event("DeviceStateChange")  # type: ignore[untyped-decorator]
    def changed(_: Any, message: Message) -> None:
        states[message.device] = message.state
        watch.mark(message.device)

    @manager.register_event("FullyBooted")  # type: ignore[untyped-decorator]
    def booted(*_: object) -> None:
        emit(live=0)

    watch.begin()
    await manager.connect()
    await asyncio.Event().wait()


def main(port: int, extensions: int, mode: str) -> None:
    structlog.configure(  # standard output is for what is told
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    if mode == "memory":
        tracemalloc.start()
    numbers = frozenset(str(FIRST + number) for number in range(extensions))
    with asyncio.Runner(loop_factory=event_loop.factory()) as runner:
        runner.run(stock(port) if mode == "stock" else ours(port, numbers))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
