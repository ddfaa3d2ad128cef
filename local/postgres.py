"""A private PostgreSQL: its own cluster in a folder, on 127.0.0.1 and its own port, ended with its parent.

The programs are the machine's, or else a wheel's in the cache folder. A running server is never touched.
There is no unix socket: who wants in needs a password, and nothing stays behind.
"""

import contextlib
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from signal import SIGINT, SIGQUIT
from typing import IO, Self

from local import ports
from local.children import die_with_parent, end
from local.initdb import initdb, opened
from local.postgres_binaries import PostgresError, account, environment, find_binaries

READY_TIMEOUT_S = 60.0  # after a crash it replays its log first
STOP_TIMEOUT_S = 30.0
SQL_TIMEOUT_S = 30


class Postgres:
    """One cluster below `folder`, and its server while it runs.

    `options` are server settings such as `{"fsync": "off"}`. `log` takes the server's output, by default
    `postgres.log` in `folder`.
    """

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
        self.folder = folder.absolute()
        self.host = host
        self.port = port or ports.free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._cluster = self.folder / "cluster"
        self._password_file = self.folder / "superuser-password"
        self._options = dict(options or {})
        self._log = log

    def start(self) -> None:
        """Make the cluster unless it exists, and start its server. Does not wait for it."""
        binaries = find_binaries(self._cluster)
        if self.is_running():
            raise PostgresError("PostgreSQL is running already")
        if not self._cluster.exists():
            initdb(binaries, self._cluster, self.superuser, self._password_file)
        settings = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            **self._options,
        }
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with contextlib.ExitStack() as stack:
            log = self._log
            if log is None:
                log = stack.enter_context((self.folder / "postgres.log").open("ab"))
            fd = stack.enter_context(opened(self._cluster))
            self.process = subprocess.Popen(
                [str(binaries / "postgres"), "-D", f"/proc/self/fd/{fd}", *flags],
                cwd="/",
                pass_fds=[fd],
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is its parent's to handle
                preexec_fn=die_with_parent(SIGINT),
                **account(self._cluster),
            )

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return once it takes connections."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.is_running():
                raise PostgresError(f"PostgreSQL ended while it was starting; see its log ({self.folder})")
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL was not ready within {timeout_s:.0f} s")
            time.sleep(0.02)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        """As pg_ctl finds it: the last line of the server's own pid file."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        own = self.is_running() and self.process is not None and lines[:1] == [str(self.process.pid)]
        return own and len(lines) > 7 and lines[7].strip() in ("ready", "standby")

    def stop(self) -> None:
        """A fast shutdown: connections are cut, everything is written."""
        if self.process is not None:
            end(self.process, SIGINT, SIGQUIT, patience_s=STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL, and wait for its own children: they end by themselves, and it would not start before."""
        if self.process is None or self.process.poll() is not None:
            return
        children = _children(self.process.pid)
        self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, user: str, database: str) -> str:
        """Without the password."""
        return f"postgresql://{user}@{self.host}:{self.port}/{database}"

    @property
    def superuser_password(self) -> str:
        return self._password_file.read_text()

    def create_database(self, name: str, owner: str, owner_password: str) -> None:
        """Make a database and its owner, who may create roles and is no superuser, unless they exist."""
        role, database = quote_identifier(owner), quote_identifier(name)
        if owner not in self.sql("SELECT rolname FROM pg_roles").splitlines():
            self.sql(f"CREATE ROLE {role}")
        self.sql(f"ALTER ROLE {role} LOGIN CREATEROLE PASSWORD {quote_literal(owner_password)}")
        if name not in self.sql("SELECT datname FROM pg_database").splitlines():
            self.sql(f"CREATE DATABASE {database} OWNER {role}")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as superuser with psql; answers rows as lines. Raises PostgresError."""
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
    """For a server with standard_conforming_strings, its default."""
    return "'" + text.replace("'", "''") + "'"


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
