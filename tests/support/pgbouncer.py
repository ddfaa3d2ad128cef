"""A real pgbouncer in front of a PostgreSQL, from Debian's or Ubuntu's package."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from local import debian, ports
from local.asterisk_programs import loader
from local.cache import cache_dir
from local.server_process import PrivateServer, spawn
from tests.support.database import PASSWORD, SERVICE

CONFIG = """
[databases]
* = host=127.0.0.1 port={target}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {mode}
server_lifetime = 3600
{user}
"""


def extracted() -> Path:
    """The package, extracted. Raises PackageError."""
    return debian.extract(["pgbouncer"], cache_dir() / "pgbouncer")


class Pgbouncer(PrivateServer):
    """It pools sessions, until it is told to pool transactions."""

    name = "pgbouncer"
    log_name = "pgbouncer.log"
    error = RuntimeError
    stop_signals = (signal.SIGTERM,)

    def __init__(self, folder: Path, target: int) -> None:
        folder.mkdir()
        super().__init__(folder, None)
        self.port = ports.free_port()
        self._target = target
        self._config = folder / "pgbouncer.ini"

    def start(self) -> None:
        users = self.folder / "users"
        users.write_text(f'"{SERVICE}" "{PASSWORD}"\n')
        self._write("session")
        with self._open_log() as log:
            self.process = spawn(
                [*loader(extracted()), str(extracted() / "usr/sbin/pgbouncer"), str(self._config)],
                death_signal=signal.SIGTERM,
                log=log,
                environment={},
                folder=self.folder,
            )

    def _write(self, mode: str) -> None:
        user = "user = nobody" if os.geteuid() == 0 else ""
        users = self.folder / "users"
        self._config.write_text(CONFIG.format(target=self._target, port=self.port, users=users, mode=mode, user=user))

    async def pool_transactions(self) -> None:
        """As after a change of its configuration: each session is given away at the end of its transaction."""
        self._write("transaction")
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def is_ready(self) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0
