"""The migration files: how they are read, and what none of them may do."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.db.migrations import VERSIONS, Migration, all_migrations, split_statements
from service.db.schema import WRITTEN, Schema

RELEASED = {"0001": "3737df18ec30f4aa473e90957fdd62a83ebb687f1ee1202483e36f74fdedb281"}
"""Files that a release has applied somewhere: nobody edits them. A mistake is mended by the next revision."""
APART = re.compile(
    r"create (unique )?index concurrently|drop index concurrently if exists|do$|alter table \w+ validate constraint"
)
"""What may run outside a transaction: it can be run again after an interruption, and no request waits for its locks."""

TABLE = rf"(only )?({'|'.join(WRITTEN)})\b"
HARMFUL = {
    rf"create (unique )?index (if not exists )?\w* ?on {TABLE}": "it blocks writes while it is built: `concurrently`",
    rf"(update|delete from|merge into) {TABLE}": "it locks all rows at once: work in batches",
    r"(lock|cluster|vacuum|reindex|truncate)\b": "requests wait",
    rf"alter table {TABLE}.*\badd (constraint \w+ )?(check|foreign key)(?!.*\bnot valid\b)": "add it `not valid`",
    rf"alter table {TABLE}.*\b(set not null|alter (column )?\w+ (set data )?type)\b": "it reads or rewrites the table",
}
"""What must not be done in a transaction to a table that requests use."""
CONTRACT = re.compile(r"drop (table|view|column|function|index|constraint|trigger)\b|\brename\b")
"""What a release before may miss: with `-- oldest` only."""


def plain(statement: str) -> str:
    """Without comments and bodies, in one line of small letters."""
    return " ".join(re.sub(r"--[^\n]*|\$(\w*)\$.*?\$\1\$", " ", statement, flags=re.DOTALL).lower().split())


def replaced(dropped: str, migration: Migration) -> bool:
    """Whether the migration makes a trigger of the same name again."""
    name = re.match(r"drop trigger (\w+) on \w+$", dropped)
    return name is not None and any(plain(one).startswith(f"create trigger {name[1]} ") for one in migration.statements)


def objections(migration: Migration) -> list[str]:
    """What is wrong with a migration that runs beside requests."""
    found: list[str] = []
    for statement in migration.statements:
        text = plain(statement)
        if not migration.in_transaction and not APART.match(text):
            found.append(f"not for outside a transaction: {text}")
        if migration.in_transaction:
            found += [f"{why}: {text}" for pattern, why in HARMFUL.items() if re.match(pattern, text)]
            if migration.oldest is None and CONTRACT.search(text) and not replaced(text, migration):
                found.append(f"`-- oldest` is missing: {text}")
    return found


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
    assert split_statements(script) == statements


def quoted(text: str, quote: str) -> str:
    return quote + text.replace(quote, quote * 2) + quote


TEXT = st.text(alphabet=st.sampled_from("ab;'\"$-/*\\ \nEe"), max_size=8)
PIECE = st.one_of(
    st.sampled_from(["select", "1", "a$b", "$1", "-", "/", "(", "x"]),
    TEXT.map(lambda text: quoted(text, "'")),
    TEXT.map(lambda text: quoted(text, '"')),
    TEXT.map(lambda text: "E" + quoted(text.replace("\\", r"\\"), "'")),
    TEXT.filter(lambda text: "$" not in text).map(lambda text: f"$tag${text}$tag$"),
    TEXT.filter(lambda text: "$" not in text).map(lambda text: f"$${text}$$"),
    TEXT.filter(lambda text: "*" not in text).map(lambda text: f"/*{text}*/"),
    TEXT.map(lambda text: "--" + text.replace("\n", " ") + "\n"),
)


@given(st.lists(st.lists(PIECE, min_size=1, max_size=6), max_size=5))
def test_a_script_of_any_statements_is_split_where_they_end(pieces: list[list[str]]) -> None:
    written = [" ".join(["select", *statement]) for statement in pieces]
    assert split_statements(";".join(written)) == [statement.strip() for statement in written]


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
    found = schema.find_problem(["0001", "0002", "0003"])
    assert (found is None) if problem is None else found is not None and problem in found


@pytest.mark.parametrize("migration", all_migrations()[1:], ids=lambda migration: str(migration.name))
def test_a_migration_can_run_under_traffic(migration: Migration) -> None:
    assert migration.statements, "it is empty"
    assert objections(migration) == []
    assert not any(re.match(r"(begin|commit|rollback|start transaction)\b", plain(one)) for one in migration.statements)
    assert migration.oldest is None or migration.oldest <= migration.revision


@pytest.mark.parametrize(
    "statement",
    [
        "create index on users (fullname)", "create unique index x on users (fullname)", "lock table users",
        "update users set fullname = ''", "delete from tokens", "alter table users alter column email type varchar",
        "alter table users alter email type varchar", "alter table users alter column fullname set not null",
        "alter table users add check (user_id > 0)", "alter table users drop column fullname", "drop view ps_auths",
        "alter table extensions add constraint x foreign key (call_server) references call_servers",
        "alter table users rename fullname to full_name", "truncate activity",
        "-- transaction: no\nalter table users add column x integer", "-- transaction: no\nupdate users set uid = uid",
    ],
)  # fmt: skip
def test_a_migration_that_stops_requests_is_found(tmp_path: Path, statement: str) -> None:
    (migration,) = written(tmp_path, _0002_x=statement)
    assert objections(migration)


@pytest.mark.parametrize(
    "statement",
    [
        "create table mine (a integer); create index on mine (a)", "alter table users add column x integer",
        "alter table users add constraint x check (user_id > 0) not valid", "-- oldest: 0002\ndrop view ps_auths",
        "create or replace function f() returns void language sql as $$ delete from tokens $$",
        "-- transaction: no\nalter table users validate constraint x",
    ],
)  # fmt: skip
def test_a_migration_that_stops_nobody_is_fine(tmp_path: Path, statement: str) -> None:
    (migration,) = written(tmp_path, _0002_x=statement)
    assert objections(migration) == []


def test_a_migration_is_one_sql_file() -> None:
    """No Python beside it: `migrate` runs SQL files only."""
    others = {path.name for path in VERSIONS.iterdir() if path.is_file()} - {
        f"{one.name}.sql" for one in all_migrations()
    }
    assert others == set()


def test_what_was_released_is_not_edited() -> None:
    sums = {one.revision: hashlib.sha256(one.sql.encode()).hexdigest() for one in all_migrations()}
    assert {revision: sums[revision] for revision in RELEASED} == RELEASED
