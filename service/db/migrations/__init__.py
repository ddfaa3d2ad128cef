"""Migrations: plain SQL files in `versions/`, one per revision, and their parser.

`NNNN_name.sql` is revision `NNNN`. Its statements run one by one, by default in one transaction; see
`docs/operations.md`. Two marks are recognised, each on its own line among the comments at the top:

    -- transaction: no
    -- oldest: 0007

The first is for `create index concurrently`, `validate constraint` and work in batches. The second is for a contract
step: releases that do not know revision 0007 are incompatible with this one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

VERSIONS = Path(__file__).parent / "versions"

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_MARK = re.compile(r"^-- (transaction|oldest):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_TOP = re.compile(r"(?:[ \t]*(?:--[^\n]*)?\n)*")
_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | --[^\n]* | /\*.*?\*/ )
    | (?P<end> ; )
    | (?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![\w$])\$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Migration:
    """One migration file."""

    revision: str
    name: str
    """The file's name without its suffix."""
    path: Path

    @cached_property
    def sql(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def in_transaction(self) -> bool:
        return self._marks.get("transaction") != "no"

    @property
    def oldest(self) -> str | None:
        """The revision that a release must know to be compatible with this one; None if none loses compatibility."""
        return self._marks.get("oldest")

    @cached_property
    def statements(self) -> list[str]:
        return split_statements(self.sql)

    @cached_property
    def _marks(self) -> dict[str, str]:
        top = _TOP.match(self.sql)
        marks = dict(_MARK.findall(top[0] if top else ""))
        if marks.get("transaction", "no") != "no" or not re.fullmatch(r"\d{4}", marks.get("oldest", self.revision)):
            raise ValueError(f"{self.name}: a mark is not understood: {marks}")
        return marks


def all_migrations(folder: Path | None = None) -> list[Migration]:
    """Return this release's migrations, or those in `folder`, in order. Raises ValueError for a duplicate number."""
    folder = folder or VERSIONS
    migrations = sorted(
        (Migration(match[1], path.stem, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))),
        key=lambda migration: migration.revision,
    )
    if len({migration.revision for migration in migrations}) != len(migrations):
        raise ValueError(f"two migrations have the same number: {[migration.name for migration in migrations]}")
    return migrations


def split_statements(sql: str) -> list[str]:
    """Split a script into statements. It parses quotes and comments, but not `begin atomic` or nested comments."""
    statements: list[str] = []
    start, has_content = 0, False
    for token in _TOKEN.finditer(sql):
        if token.lastgroup == "end":
            if has_content:
                statements.append(sql[start : token.start()].strip())
            start, has_content = token.end(), False
        elif token.lastgroup != "space":
            has_content = True
    if has_content:
        statements.append(sql[start:].strip())
    return statements
