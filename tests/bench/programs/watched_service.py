"""The service as `serve` runs it, with its settings in the environment, and its loop watched from within.

    python -m tests.bench.programs.watched_service

Tells how long the loop was held at most since it told so last, whenever it gets SIGUSR1.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

import structlog

from service import settings
from service.runtime import event_loop
from service.runtime.process import serve
from service.runtime.sockets import Sockets
from tests.bench.rig.loop_ticks import Ticks
from tests.bench.rig.processes import emit


async def main() -> None:
    """Serve until SIGTERM."""
    ticks = Ticks()
    ticks.begin()

    def tell_held() -> None:
        emit(held=ticks.held)
        ticks.held = 0.0

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell_held)
    chosen = settings.load()
    await serve(chosen, Sockets.open(chosen))


if __name__ == "__main__":
    structlog.configure(  # standard output is for what is told
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with asyncio.Runner(loop_factory=event_loop.factory()) as runner:
        runner.run(main())
