"""The service as a child process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from signal import SIGKILL

from local.bootstrap import PROJECT
from local.server_process import ChildServer, spawn


class ServiceProcess(ChildServer):
    """`python -m service` with these settings as environment variables."""

    stop_timeout_s = 15.0

    def __init__(self, settings: Mapping[str, str], *, log: int) -> None:
        self._settings = dict(settings)
        self._log = log

    def start(self) -> None:
        self.process = self._spawn("serve", {})

    def run(self, command: str, settings: Mapping[str, str]) -> int:
        """Run another of its commands, such as `migrate`, to its end; return the exit code."""
        process = self._spawn(command, settings)
        try:
            return process.wait()
        finally:
            process.kill()

    def _spawn(self, command: str, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return spawn(
            [sys.executable, "-m", "service", command],
            death_signal=SIGKILL,
            log=self._log,
            environment={**os.environ, **self._settings, **settings, "PYTHONUNBUFFERED": "1"},
            folder=PROJECT,
        )
