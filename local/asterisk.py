"""A private Asterisk with a folder and ports of its own on 127.0.0.1. It ends with its parent, and never runs as root.

Its configuration is the real one (asterisk/etc). Several can run side by side.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from signal import SIGTERM
from typing import IO

from local import asterisk_programs
from local.accounts import Account, unprivileged_account
from local.asterisk_config import FOLDERS, RTP_PORTS, Config, Database, render
from local.asterisk_programs import TEMPLATES, AsteriskError, Programs
from local.server_process import PrivateServer, spawn

__all__ = ["RTP_PORTS", "Asterisk", "AsteriskError", "Config", "Database"]

COMMAND_TIMEOUT_S = 30.0
SOCKET_PATH_LIMIT = 107  # unix(7)
UNPRIVILEGED_USERS = ("asterisk", "nobody")


class Asterisk(PrivateServer):
    """One Asterisk. It keeps its registrations in `folder` from run to run, if its user may enter that.

    Raises AsteriskError.
    """

    name = "Asterisk"
    log_name = "asterisk.log"
    error = AsteriskError

    def __init__(
        self,
        folder: Path,
        config: Config,
        *,
        programs: Programs | None = None,
        templates: Path = TEMPLATES / "etc",
        log: IO[bytes] | int | None = None,
    ) -> None:
        super().__init__(folder, log)
        self.config = config
        self._programs = programs
        self._templates = templates
        self._home: Path | None = None

    def start(self) -> None:
        """Render the configuration and start Asterisk. Does not wait until it has booted."""
        self._refuse_second_start()
        programs = self._programs = self._programs or asterisk_programs.find()
        account = _account()
        home = self._prepare(programs, account)
        with self._open_log() as log:
            try:
                self.process = spawn(
                    [*self._command(), "-f"],
                    death_signal=SIGTERM,
                    log=log,
                    environment=_environment(home),
                    account=account,
                )
            except PermissionError as error:
                raise AsteriskError(f"its user may not run Asterisk ({error}); CACHE_DIR moves it") from error

    def is_ready(self) -> bool:
        """Whether Asterisk has fully booted."""
        try:
            return "fully booted" in self.rx("core waitfullybooted")
        except AsteriskError:
            return False

    def rx(self, command: str, timeout_s: float = COMMAND_TIMEOUT_S) -> str:
        """The output of a command of Asterisk's CLI. Raises AsteriskError."""
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
        """An orderly shutdown: Asterisk hangs up, tells its AMI clients, and writes everything."""
        super().stop()
        if self._home not in (None, self.folder):
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

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
    """`folder`, or one for this run only: a socket's path is limited, and /root is closed to other users."""
    short = len(os.fsencode(folder / "run/asterisk.ctl")) <= SOCKET_PATH_LIMIT
    if short and (not account or all(parent.stat().st_mode & 0o001 for parent in folder.parents)):
        return folder
    return Path(tempfile.mkdtemp(prefix="asterisk-"))


def _account() -> Account:
    return unprivileged_account("Asterisk", UNPRIVILEGED_USERS)


def _environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "PGSERVICEFILE": str(home / "etc/pg_service.conf"),
        "PGSERVICE": "asterisk",
    }
