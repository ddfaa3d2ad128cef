"""Ending on a signal, from wherever the main thread is."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """A signal asked for the end; raised wherever the main thread is."""


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """The first signal raises Stopped in the main thread; those that follow find it stopping already."""

    def stop(number: int, frame: FrameType | None) -> None:
        for other in STOP_SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped

    for number in STOP_SIGNALS:
        ignored = signal.getsignal(number) is signal.SIG_IGN
        if not (ignored and number == signal.SIGHUP):  # as nohup wishes it
            signal.signal(number, stop)
    yield
