"""How many statements PostgreSQL runs for the service: what its log says while it logs them all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from local.plan import SERVICE_ROLE
from local.postgres import Postgres

MARK = "bench statement of "
MARKED = {"log_line_prefix": f"{MARK}%u in %d: "}
"""Settings with which its server is to be started."""


@contextlib.contextmanager
def statements(postgres: Postgres, database: str) -> Iterator[Callable[[], int]]:
    """Counts those that the service's role makes in this database while the block lasts; ask afterwards."""
    log = postgres.folder / "postgres.log"
    _log(postgres, "all")
    began, ended = log.stat().st_size, 0
    try:
        yield lambda: _count(log, began, ended, database)
    finally:
        _log(postgres, "none")
        ended = log.stat().st_size


def _log(postgres: Postgres, what: str) -> None:
    postgres.sql(f"alter system set log_statement = '{what}'")
    postgres.sql("select pg_reload_conf(); select pg_sleep(0.2)")


def _count(log: Path, began: int, ended: int, database: str) -> int:
    with log.open("rb") as file:
        file.seek(began)
        lines = file.read(ended - began).decode(errors="replace").splitlines()
    mark = f"{MARK}{SERVICE_ROLE} in {database}: LOG:  "
    return sum(line.startswith((f"{mark}statement:", f"{mark}execute ")) for line in lines)
