"""What signals mean to a process that serves: some end it in good order, and none ends it by mistake."""

from __future__ import annotations

import signal
from collections.abc import Sequence

THAT_END = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""End in good order: from `docker stop`, Ctrl-C and Ctrl-\\."""
RENEWS = signal.SIGHUP
"""Have a parent replace its workers; one process alone only says that it cannot."""
HARMLESS = (RENEWS, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPIPE)
"""They would end it without a word, as is the kernel's default. Workers inherit that they are ignored."""
COMMANDS = ("serve", "worker")


def ignore_for(arguments: Sequence[str]) -> None:
    """To be called first of all, when the command line is one that serves. Any other still ends with its terminal."""
    if next((word for word in arguments if not word.startswith("-")), "serve") in COMMANDS:
        for number in HARMLESS:
            signal.signal(number, signal.SIG_IGN)
