"""A private Asterisk: its own folder and ports on 127.0.0.1, ended with its parent, and never run as root.

The configuration is the real one (asterisk/etc), and several run side by side.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from signal import SIGTERM
from typing import IO, Self

from local import asterisk_programs
from local.asterisk_config import FOLDERS, RTP_PORTS, Config, Database, render
from local.asterisk_programs import TEMPLATES, AsteriskError, Programs
from local.children import die_with_parent, end
from local.postgres_binaries import Account

__all__ = ["RTP_PORTS", "Asterisk", "AsteriskError", "Config", "Database"]

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 10.0
SOCKET_PATH_LIMIT = 107  # unix(7)
UNPRIVILEGED = ("asterisk", "nobody")


class Asterisk:
    """One Asterisk, which keeps its registrations in `folder` from run to run, if its user may enter that.

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
        account = _account()
        home = self._prepare(programs, account)
        with contextlib.ExitStack() as stack:
            log = self._log
            if log is None:
                log = stack.enter_context((self.folder / "asterisk.log").open("ab"))
            try:
                self.process = subprocess.Popen(
                    [*self._command(), "-f"],
                    cwd="/",
                    env=_environment(home),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # the terminal's Ctrl-C is its parent's to handle
                    preexec_fn=die_with_parent(SIGTERM),
                    **account,
                )
            except PermissionError as error:
                raise AsteriskError(f"its user may not run Asterisk ({error}); CACHE_DIR moves it") from error

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
        try:
            done = subprocess.run(
                [*self._command(), "-rx", command],
                cwd="/",
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
                **_account(),
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
        try:
            self.start()
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

    def _prepare(self, programs: Programs, account: Account) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        home = self._home = self._home or _home(self.folder, account)
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
        if account:
            for path in (home, *home.rglob("*")):
                os.chown(path, account["user"], account["group"], follow_symlinks=False)
        return home


def _home(folder: Path, account: Account) -> Path:
    """`folder`, or one for this run only: a socket's path is short, and /root is closed to other users."""
    short = len(os.fsencode(folder / "run/asterisk.ctl")) <= SOCKET_PATH_LIMIT
    if short and (not account or all(parent.stat().st_mode & 0o001 for parent in folder.parents)):
        return folder
    return Path(tempfile.mkdtemp(prefix="asterisk-"))


def _account() -> Account:
    """Whom to run it as: root never, anybody else as himself."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise AsteriskError(f"Asterisk is not run as root, and there is no user {' or '.join(UNPRIVILEGED)}")


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PGSERVICEFILE": str(home / "etc/pg_service.conf"),
        "PGSERVICE": "asterisk",
    }
