"""A program on a terminal of its own, and what it printed there: Ctrl-C reaches it as it would a user's."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGINT
from typing import Self

ROOT = Path(__file__).parents[2]
CTRL_C = b"\x03"
END_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1
BY_CTRL_C = (0, -SIGINT)
"""make ends its own life by the signal, when what it started has ended."""


class Program:
    """Started at once, from the working tree; ended with the `with` block at the latest."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path = ROOT) -> None:
        self._terminal, theirs = pty.openpty()
        self._printed = ""
        self._hung_up = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, pass_fds=[theirs], preexec_fn=lambda: os.login_tty(theirs)
        )
        os.close(theirs)
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Until the last one that holds the terminal has ended, as Linux says with an error, or it is hung up."""
        with contextlib.suppress(OSError):
            while not self._hung_up:
                if select.select([self._terminal], [], [], LOOK_EVERY_S)[0]:
                    some = os.read(self._terminal, 65536).decode("utf-8", "replace")
                    with self._changed:
                        self._printed += some.replace("\r\n", "\n")
                        self._changed.notify_all()

    @property
    def printed(self) -> str:
        """All that stood on the terminal so far."""
        with self._changed:
            return self._printed

    def prints(self, pattern: str, within_s: float, *, after: int = 0) -> None:
        """Wait until a whole line that matches is printed, behind the first `after` characters."""
        end = time.monotonic() + within_s
        wanted = re.compile(pattern, re.MULTILINE)
        with self._changed:
            while not wanted.search(self._printed, after, self._printed.rfind("\n") + 1):
                left = end - time.monotonic()
                assert left > 0, f"not printed within {within_s:g} s: {pattern}; but\n{self._printed}"
                assert self._reader.is_alive(), f"ended without printing {pattern}; but\n{self._printed}"
                self._changed.wait(min(left, 0.2))

    def ctrl_c(self) -> None:
        """The key, not the signal: the terminal sends SIGINT to all that run in its foreground."""
        os.write(self._terminal, CTRL_C)

    def hang_up(self) -> None:
        """The terminal goes, as when a connection is lost."""
        if not self._hung_up:
            self._hung_up = True
            self._reader.join()
            os.close(self._terminal)

    def ends(self, within_s: float = END_WITHIN_S) -> int:
        """Wait for its end; answers the exit code."""
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"has not ended within {within_s:g} s:\n{self.printed}") from None
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it, even if it hangs."""
        if self._process.poll() is None and not self._hung_up:
            self.ctrl_c()
        try:
            self.ends()
        finally:
            self._process.kill()
            self._process.wait()
            self.hang_up()
