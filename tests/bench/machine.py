"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

from service.runtime import event_loop

LIBRARIES = ("aiohttp", "asyncpg", "msgspec", "panoramisk", "uvloop")


def described(asterisk: str, postgres: str) -> str:
    """Cores, processor, what else goes on, versions: a few lines."""
    return "\n".join(
        (
            f"machine    {os.cpu_count()} x {_processor()}; load {os.getloadavg()[0]:.1f} at the start",
            f"system     {platform.system()} {platform.release()}, Python {platform.python_version()}, {_loop()}",
            f"servers    {asterisk}, PostgreSQL {postgres}",
            f"libraries  {', '.join(filter(None, map(_version, LIBRARIES)))}",
        )
    )


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _loop() -> str:
    return "asyncio's own loop" if event_loop.factory() is None else "uvloop"


def _version(name: str) -> str | None:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return None
