"""The cache folder: what was downloaded for all working trees. Only the standard library is used."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def cache_dir() -> Path:
    """`CACHE_DIR`, or the user's cache; for root /var/cache, as other users may not enter its home."""
    if named := os.environ.get("CACHE_DIR"):
        return Path(named).absolute()
    base = "/var/cache" if os.geteuid() == 0 else os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "asterisk-connector"


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold a lock file. Waits for the process that holds it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def staged(target: Path) -> Iterator[Path]:
    """An empty folder that becomes `target` when the block succeeds, unless another process was faster."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as work:
        folder = Path(work) / "staged"
        folder.mkdir()  # with the permissions of any folder: other users run what is in it
        yield folder
        if not target.exists():
            folder.rename(target)
