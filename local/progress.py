"""A sign of life while something takes long: how far it is, every few seconds. Only the standard library is used."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

EVERY_S = 4.0
"""Nobody looks at a silent terminal for more than five seconds without wondering."""


@contextlib.contextmanager
def progress(say: Callable[[str], None], how_far: Callable[[], str]) -> Iterator[None]:
    """While the block lasts, `say` every EVERY_S seconds `how_far` it is and for how long it has been under way."""
    done = threading.Event()
    started = time.monotonic()

    def tell() -> None:
        while not done.wait(EVERY_S):
            say(f"  {how_far()} ({time.monotonic() - started:.0f} s)")

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def megabytes(folder: Path) -> float:
    """What the files below a folder hold, in MB; a file that goes meanwhile counts nothing."""
    found = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            found += path.stat().st_size
    return found / 1e6
