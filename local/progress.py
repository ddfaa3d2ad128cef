"""Progress reports while something takes long, every few seconds. Only the standard library is used."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

EVERY_S = 4.0
"""A terminal that is silent for more than five seconds looks hung."""


@contextlib.contextmanager
def progress(say: Callable[[str], None], how_far: Callable[[], str]) -> Iterator[None]:
    """During the block, report `how_far` it is and the elapsed time to `say`, every EVERY_S seconds."""
    done = threading.Event()
    started = time.monotonic()

    def report() -> None:
        while not done.wait(EVERY_S):
            say(f"  {how_far()} ({time.monotonic() - started:.0f} s)")

    reporter = threading.Thread(target=report, name="progress", daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()


def megabytes(folder: Path) -> float:
    """The size of the files below a folder, in MB. A file that disappears meanwhile does not count."""
    found = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            found += path.stat().st_size
    return found / 1e6
