"""A bash that stays: commands of a documentation page run in it one after another, as in an operator's terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

MARK = "--- block ended with "


class Shell:
    """One bash in a folder. What it starts in the background ends with the block."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.communicate()

    def run(self, block: str, within: float = 60.0) -> str:
        """Run a block; returns what it printed. Fails if its last command does, or if it takes longer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(within, os.killpg, (self._process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            self._process.stdin.write(f"{block}\nprintf '\\n{MARK}%s\\n' $?\n")
            self._process.stdin.flush()
            printed = ""
            for line in self._process.stdout:
                if line.startswith(MARK):
                    assert line == f"{MARK}0\n", f"{block}\n{printed}{line}"
                    return printed
                printed += line
        finally:
            watchdog.cancel()
        raise AssertionError(f"not within {within:g} s, or the shell ended:\n{block}\n{printed}")
