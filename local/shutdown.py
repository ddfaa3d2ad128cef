"""Shutdown on a signal or on the loss of the terminal, wherever the main thread is."""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from local.child_process import set_parent_death_signal

SHUTDOWN_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ShutdownRequested(BaseException):
    """A signal, or the terminal's end, asked for the shutdown. Raised in the main thread."""


@contextlib.contextmanager
def shutdown_on_signals() -> Iterator[None]:
    """Raise ShutdownRequested in the main thread at the first signal; ignore all that follow."""

    def request_shutdown(number: int, frame: FrameType | None) -> None:
        for other in SHUTDOWN_SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise ShutdownRequested

    for number in SHUTDOWN_SIGNALS:
        ignored = signal.getsignal(number) is signal.SIG_IGN
        if not (ignored and number == signal.SIGHUP):  # nohup ignores it on purpose
            signal.signal(number, request_shutdown)
    yield


def run_until_shutdown(work: Callable[[], None], *errors: type[Exception]) -> int:
    """Run `work` to its end or to a shutdown, also that of the parent; return the exit code.

    Each of `errors` is reported in one line.
    """
    try:
        with shutdown_on_signals():
            set_parent_death_signal(signal.SIGTERM)  # a make that is killed passes nothing on
            work()
    except ShutdownRequested:
        return 0
    except errors as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


class Terminal:
    """The terminal this process was started on, if any.

    The kernel reports a lost terminal to the session's leader only. A shell passes that on. make, where it is the
    leader (`ssh -t HOST make run`), waits in silence for its child instead. So the child has to check by itself.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        for fd in (0, 1, 2):
            with contextlib.suppress(OSError):
                if os.isatty(fd):
                    self._poll.register(fd, 0)

    def raise_if_gone(self) -> None:
        """Raise ShutdownRequested once the terminal is gone."""
        if any(event & select.POLLHUP for _, event in self._poll.poll(0)):
            raise ShutdownRequested
