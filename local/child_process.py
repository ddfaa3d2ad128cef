"""Child processes that do not outlive their parent, however it ends."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL, Signals

PR_SET_PDEATHSIG = 1  # prctl(2)

_libc = ctypes.CDLL(None, use_errno=True)


def parent_death_signal(signal: Signals) -> Callable[[], None]:
    """A `preexec_fn` with which the child gets `signal` when the *thread* that started it ends.

    So only the main thread, or a thread that lives as long as the child, may start it. The kernel clears the
    setting when the child changes its user afterwards; `subprocess` changes it before.
    """
    parent = os.getpid()

    def set_signal() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:  # the parent ended before the call
            os.kill(os.getpid(), SIGKILL)

    return set_signal


def set_parent_death_signal(signal: Signals) -> None:
    """Have this process get `signal` when its parent ends, whoever started it."""
    _libc.prctl(PR_SET_PDEATHSIG, signal)


def terminate(process: subprocess.Popen[bytes], *signals: Signals, timeout_s: float) -> None:
    """Send each signal in turn, and wait `timeout_s` after each for the process to end; finally SIGKILL."""
    for signal in signals:
        if process.poll() is None:
            process.send_signal(signal)
        try:
            process.wait(timeout_s)
            return
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    process.wait()


def child_pids(pid: int) -> set[int]:
    """The children of all threads of a process; empty once it is gone."""
    found = set[int]()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found |= set(map(int, children.read_text().split()))
        except OSError:  # the thread has ended
            continue
    return found
