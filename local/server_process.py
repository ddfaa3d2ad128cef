"""Servers as child processes: start, readiness, stop."""

import contextlib
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGTERM, Signals
from typing import IO, ClassVar, Self

from local.accounts import Account
from local.child_process import parent_death_signal, terminate

POLL_EVERY_S = 0.02


def spawn(
    command: list[str],
    *,
    death_signal: Signals,
    log: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
    folder: Path | str = "/",
    account: Account | None = None,
    descriptors: tuple[int, ...] = (),
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child that gets `death_signal` when its parent ends, and whose output goes to `log`.

    It runs in a session of its own: the terminal's Ctrl-C is its parent's to handle.
    """
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        pass_fds=descriptors,
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=parent_death_signal(death_signal),
        **(account or {}),
    )


class ChildServer(ABC):
    """A server that runs as a child process, one at a time."""

    stop_signals: ClassVar[tuple[Signals, ...]] = (SIGTERM,)
    stop_timeout_s: ClassVar[float] = 10.0
    """How long the server has after each signal, before SIGKILL."""

    process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start the server. Does not wait until it is ready."""

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Shut the server down in an orderly way."""
        if self.process is not None:
            terminate(self.process, *self.stop_signals, timeout_s=self.stop_timeout_s)


class PrivateServer(ChildServer):
    """A server with a folder of its own. As a context manager it is ready inside the block.

    `log` takes its output, by default the file `log_name` in `folder`.
    """

    name: ClassVar[str]
    log_name: ClassVar[str]
    error: ClassVar[type[Exception]]
    ready_timeout_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path, log: IO[bytes] | int | None) -> None:
        self.folder = folder.absolute()
        self._log = log

    @abstractmethod
    def is_ready(self) -> bool: ...

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Return once the server is ready. Raises its error."""
        patience = self.ready_timeout_s if timeout_s is None else timeout_s
        deadline = time.monotonic() + patience
        while not self.is_ready():
            if not self.is_running():
                raise self.error(f"{self.name} ended while it was starting; see its log ({self.folder})")
            if time.monotonic() > deadline:
                raise self.error(f"{self.name} was not ready within {patience:.0f} s")
            time.sleep(POLL_EVERY_S)

    def kill(self) -> None:
        """End the server with SIGKILL: it cannot tell its clients."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextlib.contextmanager
    def _open_log(self) -> Iterator[IO[bytes] | int]:
        if self._log is not None:
            yield self._log
        else:
            with (self.folder / self.log_name).open("ab") as file:
                yield file

    def _refuse_second_start(self) -> None:
        if self.is_running():
            raise self.error(f"{self.name} is running already")
