"""Runs a migration's SQL file: plain SQL, several statements, as one script, inside the migration's transaction."""

from pathlib import Path
from typing import Any

from alembic import op


def run(name: str) -> None:
    """Run `versions/<name>`. The driver's own `execute` takes a whole script; SQLAlchemy's takes one statement."""
    sql = (Path(__file__).parent / "versions" / name).read_text(encoding="utf-8")
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(sql))
