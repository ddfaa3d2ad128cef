"""`make dev`: restarts the service whenever one of its source files changes. PostgreSQL and Asterisk keep running."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import watchfiles

from local.bootstrap import PROJECT
from local.console import log
from local.restarter import Restarter

SOURCES = PROJECT / "service"
MIGRATIONS = SOURCES / "db/migrations"
NAMES_SHOWN = 3


class SourceWatcher:
    """Collects the files that changed below a folder, in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._changed = set[Path]()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, args=[folder], name="source watcher", daemon=True)
        self._thread.start()

    def take_changed(self) -> set[Path]:
        """The files that changed since the last call. One save is one change, however an editor writes it."""
        with self._lock:
            changed, self._changed = self._changed, set()
        return changed

    def _watch(self, folder: Path) -> None:
        for changes in watchfiles.watch(folder):  # its filter ignores byte code and editors' temporary files
            with self._lock:
                self._changed |= {Path(path) for _, path in changes}


class Reloader:
    """Restarts the service after a change of its sources, and migrates first if a migration changed."""

    def __init__(self, services: Sequence[Restarter], migrate: Callable[[], bool]) -> None:
        self._services = services
        self._migrate = migrate
        self._watcher = SourceWatcher(SOURCES)

    def poll(self) -> None:
        """Reload if anything changed. Call it periodically."""
        changed = self._watcher.take_changed()
        if not changed:
            return
        log("run", f"{described(changed)} changed; restarting the service")
        if any(path.is_relative_to(MIGRATIONS) for path in changed) and not self._migrate():
            log("run", "the migrations failed; the lines above say why")
        for service in self._services:
            service.restart()


def described(changed: set[Path]) -> str:
    """The first few of the changed files, as paths in the project."""
    names = sorted(str(path.relative_to(PROJECT)) for path in changed)
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
