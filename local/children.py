"""Child processes that do not outlive their parent, whatever ends it."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from signal import SIGKILL, Signals

PR_SET_PDEATHSIG = 1  # prctl(2)

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal: Signals) -> Callable[[], None]:
    """A `preexec_fn` after which the child gets `signal` when the *thread* that started it ends.

    So children are started by the main thread, or by one that lives as long as they. The kernel forgets the
    wish when the child changes its user afterwards; `subprocess` changes it before.
    """
    parent = os.getpid()

    def set_death_signal() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:  # it ended before the wish was known
            os.kill(os.getpid(), SIGKILL)

    return set_death_signal


def end_with_parent(signal: Signals) -> None:
    """The same for this process, whoever started it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal)


def end(process: subprocess.Popen[bytes], *signals: Signals, patience_s: float) -> None:
    """Send each signal in turn and wait `patience_s` for the process to end; at last SIGKILL."""
    for signal in signals:
        if process.poll() is None:
            process.send_signal(signal)
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()
