"""A private Asterisk: its own folder and ports on 127.0.0.1, ended with its parent, and never run as root.

The configuration is the real one (asterisk/etc), and several run side by side.
"""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import IO, Self

from local import asterisk_programs, ports
from local.asterisk_programs import TEMPLATES, AsteriskError, Programs
from local.children import die_with_parent, end

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 10.0
RTP_PORTS = 100
SOCKET_PATH_LIMIT = 107  # unix(7)
UNPRIVILEGED = ("asterisk", "nobody")
FOLDERS = {
    "ETC_DIR": "etc",
    "VARLIB_DIR": "lib",
    "ASTDB_DIR": "db",
    "SPOOL_DIR": "spool",
    "RUN_DIR": "run",
    "LOG_DIR": "log",
}


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where Asterisk reads its endpoints, as the role that sees its rows."""

    port: int
    name: str
    user: str
    password: str = field(repr=False)
    host: str = ports.LOOPBACK


@dataclass(frozen=True, kw_only=True)
class Config:
    """What differs from one Asterisk to the next. Ports are free ones, and secrets random, unless given."""

    database: Database
    sip_port: int = field(default_factory=ports.free_port)
    http_port: int = field(default_factory=ports.free_port)
    ami_port: int = field(default_factory=ports.free_port)
    rtp_ports: range = field(default_factory=lambda: ports.free_range(RTP_PORTS))
    monitor_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    sync_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def parameters(self) -> dict[str, str]:
        """For asterisk/render, without the directories."""
        host = ports.LOOPBACK
        return {
            "SIP_BIND": host,
            "SIP_PORT": str(self.sip_port),
            "HTTP_BIND": host,
            "HTTP_PORT": str(self.http_port),
            "AMI_BIND": host,
            "AMI_PORT": str(self.ami_port),
            "AMI_PERMIT": f"{host}/32",
            "MONITOR_SECRET": self.monitor_secret,
            "SYNC_SECRET": self.sync_secret,
            "RTP_START": str(self.rtp_ports.start),
            "RTP_END": str(self.rtp_ports.stop - 1),
            "DB_HOST": self.database.host,
            "DB_PORT": str(self.database.port),
            "DB_NAME": self.database.name,
            "DB_USER": self.database.user,
            "DB_PASSWORD": self.database.password,
        }


class Asterisk:
    """One Asterisk, which keeps its registrations in `folder` from run to run.

    `log` takes what it prints, by default `asterisk.log` in `folder`. Raises AsteriskError.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        *,
        programs: Programs | None = None,
        templates: Path = TEMPLATES / "etc",
        log: IO[bytes] | int | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.config = config
        self.process: subprocess.Popen[bytes] | None = None
        self._programs = programs
        self._templates = templates
        self._log = log
        self._home: Path | None = None

    def start(self) -> None:
        """Render its configuration and start it. Does not wait for it."""
        if self.is_running():
            raise AsteriskError("Asterisk is running already")
        programs = self._programs = self._programs or asterisk_programs.find()
        user, group = _account()
        self._prepare(programs, user, group)
        log = self._log if self._log is not None else (self.folder / "asterisk.log").open("ab")
        try:
            self.process = subprocess.Popen(
                [*self._command(), "-f"],
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is its parent's to handle
                preexec_fn=die_with_parent(SIGTERM),
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        except PermissionError as error:
            raise AsteriskError(f"its user may not run Asterisk ({error}); CACHE_DIR moves it") from error
        finally:
            if self._log is None and not isinstance(log, int):
                log.close()

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return once it has fully booted."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.is_running():
                raise AsteriskError(f"Asterisk ended while it was starting; see its log ({self.folder})")
            if time.monotonic() > deadline:
                raise AsteriskError(f"Asterisk was not ready within {timeout_s:.0f} s")
            time.sleep(0.05)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        try:
            return "fully booted" in self.rx("core waitfullybooted")
        except AsteriskError:
            return False

    def rx(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """What the command line interface prints for `command`. Raises AsteriskError."""
        user, group = _account()
        try:
            done = subprocess.run(
                [*self._command(), "-rx", command],
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        except subprocess.TimeoutExpired:
            raise AsteriskError(f"Asterisk did not answer `{command}` within {timeout_s:.0f} s") from None
        if done.returncode:
            raise AsteriskError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def stop(self) -> None:
        """Hang up, tell AMI clients, write everything, end."""
        if self.process is not None:
            end(self.process, SIGTERM, patience_s=STOP_TIMEOUT_S)
        if self._home not in (None, self.folder):
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def kill(self) -> None:
        """SIGKILL: nobody is told."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

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

    def _command(self) -> list[str]:
        if self._programs is None or self._home is None:
            raise AsteriskError("Asterisk is not running")
        return [*self._programs.command, "-C", str(self._home / "etc/asterisk.conf")]

    def _prepare(self, programs: Programs, user: int | None, group: int | None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self._home = self._home or _home(self.folder, user)
        home.chmod(0o700)
        shutil.rmtree(home / "etc", ignore_errors=True)
        for name in (*FOLDERS.values(), "lib/keys"):
            (home / name).mkdir(parents=True, exist_ok=True)
        parameters = {
            **self.config.parameters(),
            **{name: str(home / folder) for name, folder in FOLDERS.items()},
            "MODULES_DIR": str(programs.modules),
            "DATA_DIR": str(programs.data),
        }
        render(self._templates, home / "etc", parameters)
        if user is not None:
            for path in (home, *home.rglob("*")):
                os.chown(path, user, -1 if group is None else group, follow_symlinks=False)


def _home(folder: Path, user: int | None) -> Path:
    """`folder`, or one for this run only: a socket's path is short, and /root is closed to other users."""
    short = len(os.fsencode(folder / "run/asterisk.ctl")) <= SOCKET_PATH_LIMIT
    if short and (user is None or all(parent.stat().st_mode & 0o001 for parent in folder.parents)):
        return folder
    return Path(tempfile.mkdtemp(prefix="asterisk-"))


def render(templates: Path, target: Path, parameters: dict[str, str]) -> None:
    """Run asterisk/render. Raises AsteriskError with what it refused."""
    done = subprocess.run(
        [str(TEMPLATES / "render"), str(templates), str(target)],
        env={"PATH": os.defpath, **parameters},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        raise AsteriskError(done.stderr.strip())


def _account() -> tuple[int | None, int | None]:
    """Whom to run it as: root never, anybody else as himself."""
    if os.geteuid() != 0:
        return None, None
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise AsteriskError(f"Asterisk is not run as root, and there is no user {' or '.join(UNPRIVILEGED)}")


def _environment() -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PGCONNECT_TIMEOUT": "5",  # or a silent PostgreSQL holds up every phone for minutes
        "PGGSSENCMODE": "disable",
    }
