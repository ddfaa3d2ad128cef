"""nginx, from Debian's or Ubuntu's package."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from local import debian
from local.asterisk_programs import loader
from local.cache import cache_dir
from local.child_process import terminate
from local.server_process import spawn
from tests.support.eventually import eventually

PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
CONFIG = """
daemon off;
pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    {paths}
    {http}
}}
"""


def extracted() -> Path:
    """The package, extracted. Raises PackageError."""
    return debian.extract(["nginx"], cache_dir() / "nginx")


@dataclass
class Nginx:
    """A running nginx."""

    log: Path
    process: subprocess.Popen[bytes]

    async def reload(self) -> None:
        """Have its configuration read again; returns once workers of the new one serve."""
        before = self.log.read_text().count("gracefully shutting down")
        self.process.send_signal(signal.SIGHUP)
        await eventually(
            lambda: self.log.read_text().count("gracefully shutting down") > before, 10, "nginx has read it again"
        )


@contextlib.asynccontextmanager
async def proxying(root: Path, folder: Path, http: str) -> AsyncIterator[Nginx]:
    """nginx with these lines in its `http { }`, relative to `folder`, until the block ends."""
    paths = "\n    ".join(f"{name}_temp_path {folder}/{name};" for name in PATHS)
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, paths=paths, http=http))
    log = folder / "nginx.log"
    with log.open("wb") as file:
        process = spawn(
            [
                *loader(root),
                str(root / "usr/sbin/nginx"),
                *("-p", str(folder), "-c", "nginx.conf", "-g", f"error_log {log} notice;"),
            ],
            death_signal=signal.SIGKILL,
            log=file,
            environment={},
            folder=folder,
        )

    def up() -> bool:
        assert process.poll() is None, log.read_text()
        return "start worker process " in log.read_text()

    try:
        await eventually(up, 10, "nginx serves")
        yield Nginx(log, process)
    finally:
        terminate(process, signal.SIGTERM, timeout_s=5)
