"""A private PostgreSQL with a cluster and a port of its own on 127.0.0.1. It ends with its parent.

The programs are the machine's, or else a wheel's in the cache folder. A server that runs already is never touched.
There is no unix socket: every connection needs a password, and no socket file remains.
"""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import IO

from local import ports
from local.child_process import child_pids
from local.initdb import initdb, opened
from local.postgres_binaries import PostgresError, account, environment, find_binaries
from local.server_process import PrivateServer, spawn

SQL_TIMEOUT_S = 120
KILLED_TIMEOUT_S = 30.0


class Postgres(PrivateServer):
    """One cluster below `folder`, and its server while it runs.

    `options` are server settings such as `{"fsync": "off"}`. Raises PostgresError.
    """

    name = "PostgreSQL"
    log_name = "postgres.log"
    error = PostgresError
    stop_signals = (SIGINT, SIGQUIT)  # a fast shutdown, then an immediate one
    stop_timeout_s = 30.0
    superuser = "postgres"

    def __init__(
        self,
        folder: Path,
        *,
        host: str = ports.LOOPBACK,
        port: int | None = None,
        options: Mapping[str, str] | None = None,
        log: IO[bytes] | int | None = None,
    ) -> None:
        super().__init__(folder, log)
        self.host = host
        self.port = port or ports.free_port()
        self._cluster = self.folder / "cluster"
        self._password_file = self.folder / "superuser-password"
        self._options = dict(options or {})

    def start(self) -> None:
        """Create the cluster unless it exists, and start its server. Does not wait until it is ready."""
        binaries = find_binaries(self._cluster)
        self._refuse_second_start()
        if not self._cluster.exists():
            initdb(binaries, self._cluster, self.superuser, self._password_file)
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",  # files of the cluster: a killed server leaves nothing in /dev/shm
            **self._options,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._open_log() as log, opened(self._cluster) as fd:
            self.process = spawn(
                [str(binaries / "postgres"), "-D", f"/proc/self/fd/{fd}", *flags],
                death_signal=SIGINT,
                log=log,
                environment=environment(),
                descriptors=(fd,),
                account=account(self._cluster),
            )

    def is_ready(self) -> bool:
        """Whether it takes connections. Read as pg_ctl does: from the last line of the server's pid file."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        own = self.is_running() and self.process is not None and lines[:1] == [str(self.process.pid)]
        return own and len(lines) > 7 and lines[7].strip() in ("ready", "standby")

    def kill(self) -> None:
        """End the server with SIGKILL, and wait for its child processes: it cannot be started before they end."""
        if self.process is None or self.process.poll() is not None:
            return
        children = child_pids(self.process.pid)
        super().kill()
        deadline = time.monotonic() + KILLED_TIMEOUT_S
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
            time.sleep(0.02)

    def url(self, user: str, database: str) -> str:
        """A connection URL without the password."""
        return f"postgresql://{user}@{self.host}:{self.port}/{database}"

    @property
    def superuser_password(self) -> str:
        return self._password_file.read_text()

    def create_database(self, name: str, owner: str, owner_password: str) -> None:
        """Create a database and its owner, unless they exist. The owner may create roles, and is no superuser."""
        role, database = quote_identifier(owner), quote_identifier(name)
        if owner not in self.sql("SELECT rolname FROM pg_roles").splitlines():
            self.sql(f"CREATE ROLE {role}")
        self.sql(f"ALTER ROLE {role} LOGIN CREATEROLE PASSWORD {quote_literal(owner_password)}")
        if name not in self.sql("SELECT datname FROM pg_database").splitlines():
            self.sql(f"CREATE DATABASE {database} OWNER {role}")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as superuser with psql; return the rows as lines. Raises PostgresError."""
        options = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
        done = subprocess.run(
            [find_binaries(self._cluster) / "psql", *options, self.url(self.superuser, database)],
            env={**environment(), "PGPASSWORD": self.superuser_password},
            input=statement,
            capture_output=True,
            text=True,
            timeout=SQL_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise PostgresError(done.stderr.strip())
        return done.stdout


def quote_identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A string literal for a server with standard_conforming_strings, the default."""
    return "'" + text.replace("'", "''") + "'"
