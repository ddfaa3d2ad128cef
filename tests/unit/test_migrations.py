"""The migration files: how they are read, and what none of them may do."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from service.store.migrations import VERSIONS, Migration, all_migrations, split
from service.store.schema import Schema

RELEASED = {"0001": "3737df18ec30f4aa473e90957fdd62a83ebb687f1ee1202483e36f74fdedb281"}
"""Files that a release has applied somewhere: nobody edits them. A mistake is mended by the next revision."""
APART = re.compile(
    r"(--[^\n]*\n|\s)*(create (unique )?index concurrently|drop index concurrently if exists|do \$"
    r"|alter table \w+ validate constraint)",
)
"""What may run outside a transaction: it can be run again after an interruption, and no request waits for its locks."""


def written(folder: Path, **files: str) -> list[Migration]:
    for name, text in files.items():
        (folder / f"{name[1:]}.sql").write_text(text)
    return all_migrations(folder)


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("", []),
        ("-- only; a comment\n /* and; this */ ;;", []),
        ("select 1; select 2", ["select 1", "select 2"]),
        ("select ';' as \"a;b\"; select 'it''s; one'", ["select ';' as \"a;b\"", "select 'it''s; one'"]),
        (r"select E'\'; one'; select 'two\'; x", [r"select E'\'; one'", r"select 'two\'", "x"]),
        ("do $$ begin; end $$; do $a$ $$; $a$;", ["do $$ begin; end $$", "do $a$ $$; $a$"]),
        ("select date'2020-01-01'; x", ["select date'2020-01-01'", "x"]),
        ("-- why\ncreate table a (); -- after\n", ["-- why\ncreate table a ()"]),
        ("select a$b$c; select $b$;$b$", ["select a$b$c", "select $b$;$b$"]),
    ],
)
def test_a_script_is_split_into_its_statements(script: str, statements: list[str]) -> None:
    assert split(script) == statements


def test_marks_count_among_the_comments_at_the_top_only(tmp_path: Path) -> None:
    plain, apart, contract = written(
        tmp_path,
        _0001_plain="select 1;\n-- transaction: no\n-- oldest: 0001\n",
        _0002_apart="-- Why.\n\n-- transaction: no\n\ndo $$ begin end $$;\n",
        _0003_contract="-- oldest: 0002\nselect 1;\n",
    )
    assert (plain.in_transaction, plain.oldest) == (True, None)
    assert (apart.in_transaction, apart.oldest) == (False, None)
    assert (contract.in_transaction, contract.oldest) == (True, "0002")


@pytest.mark.parametrize("mark", ["-- transaction: yes", "-- transaction: ", "-- oldest: 1", "-- oldest: "])
def test_a_mark_that_is_not_understood_is_refused(tmp_path: Path, mark: str) -> None:
    (migration,) = written(tmp_path, _0001_x=f"{mark}\nselect 1;\n")
    with pytest.raises(ValueError, match="not understood"):
        _ = migration.in_transaction


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="same number"):
        written(tmp_path, _0001_x="", _0001_y="")


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (Schema(), "has revision none, this release needs 0003: run `python -m service migrate`"),
        (Schema(frozenset({"0001"})), "has revision 0001, this release needs 0003: run"),
        (Schema(frozenset({"0001", "0003"})), "run `python -m service migrate`"),
        (Schema(frozenset({"0001", "0002", "0003"})), None),
        (Schema(frozenset({"0001", "0002", "0003", "0004"}), "0002"), None),
        (Schema(frozenset({"0001", "0002", "0003", "0004"}), "0003"), None),
        (Schema(frozenset({"0001", "0002", "0003", "0004"}), "0004"), "before revision 0004 cannot use"),
    ],
)
def test_a_release_says_whether_it_can_use_a_schema(schema: Schema, problem: str | None) -> None:
    found = schema.problem(["0001", "0002", "0003"])
    assert (found is None) if problem is None else found is not None and problem in found


@pytest.mark.parametrize("migration", all_migrations(), ids=lambda migration: str(migration.name))
def test_a_migration_can_run_under_traffic(migration: Migration) -> None:
    assert migration.statements, "it is empty"
    for statement in migration.statements:
        assert not re.match(r"(?i)\s*(begin|commit|rollback|start transaction)\b", statement)
        if not migration.in_transaction:
            assert APART.match(statement), f"not for outside a transaction: {statement}"
    assert migration.oldest is None or migration.oldest <= migration.revision


def test_a_migration_is_one_sql_file() -> None:
    """No Python beside it: `migrate` runs SQL files only."""
    others = {path.name for path in VERSIONS.iterdir() if path.is_file()} - {
        f"{one.name}.sql" for one in all_migrations()
    }
    assert others == set()


def test_what_was_released_is_not_edited() -> None:
    sums = {one.revision: hashlib.sha256(one.sql.encode()).hexdigest() for one in all_migrations()}
    assert {revision: sums[revision] for revision in RELEASED} == RELEASED
