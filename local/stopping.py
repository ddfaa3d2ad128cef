"""Ending on a signal, from wherever the main thread is."""

import contextlib
import os
import select
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


class Terminal:
    """The terminal this process was started on, if any.

    When a terminal goes, the kernel tells its session's leader. A shell passes that on; make, where it is the
    leader (`ssh -t HOST make run`), waits in silence for its child instead. So the child has to look itself.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        for fd in (0, 1, 2):
            with contextlib.suppress(OSError):
                if os.isatty(fd):
                    self._poll.register(fd, 0)

    def stop_if_gone(self) -> None:
        """Raises Stopped when it is gone."""
        if any(event & select.POLLHUP for _, event in self._poll.poll(0)):
            raise Stopped
