"""Signals of a serving process: some shut it down gracefully, none terminates it by accident."""

from __future__ import annotations

import signal
from collections.abc import Sequence

SHUTDOWN = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Graceful shutdown: by `docker stop`, Ctrl-C and Ctrl-\\."""
RELOAD = signal.SIGHUP
"""The parent replaces its workers; a single process only logs that it cannot reload."""
IGNORED = (RELOAD, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPIPE)
"""By the kernel's default these terminate a process silently. Workers inherit that they are ignored."""
SERVING_COMMANDS = ("serve", "worker")


def ignore_signals(arguments: Sequence[str]) -> None:
    """Ignore the signals if the command line serves. Call it first. Other commands still end with their terminal."""
    if next((word for word in arguments if not word.startswith("-")), "serve") in SERVING_COMMANDS:
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
