"""`extension import` from CSV files: plan, apply, repeat, remove, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from tests.integration.imports.support import IMPORTED, NAME, Run, column, dump, execute, variables
from tests.support.command_line import Done, in_this_process
from tests.support.database import TestDatabase

IMPORT = ("extension", "import", "--call-server", NAME)
HEADER = "extension,endpoint,secret,auth_username,name,profile,user,email\n"
ADA = "1001,1001,secret-of-ada-1,,Ada Byron,sip,ada,ada@example.com\n"
TWIN = "1001,991001,secret-of-twin-1,,,webrtc,,\n"
ALICE = '1005,alice,"al;ice\'s, ""p@ss^wörd""",alice-login,Alice,,,\n'


@pytest.fixture
def run(
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logged: list[dict[str, object]],
) -> Run:
    """Imports a CSV file, given as text. The log does not mix with the output."""
    execute(database, IMPORTED)

    def run_import(text: str, *options: str, **values: str) -> Done:
        arguments = (*IMPORT, "--from-csv", "-", *options)
        given = text.encode()
        return in_this_process(monkeypatch, capsys, variables(database, None, **values), *arguments, given=given)

    return run_import


def facts(done: Done) -> dict[str, Any]:
    """What `--json` says of a success."""
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def counts(done: Done) -> dict[str, int]:
    return {kind: count for kind, count in facts(done)["counts"].items() if count}


def test_a_plan_changes_nothing_and_applying_it_twice_changes_nothing_more(run: Run, database: TestDatabase) -> None:
    before = dump(database)
    text = HEADER + ADA + TWIN + ALICE
    planned = run(text, "--json")
    assert counts(planned) == {"new_extensions": 2, "new_phones": 3}
    assert dump(database) == before
    assert counts(run(text, "--json", "--apply")) == counts(planned)
    after = dump(database)
    assert [row[1:7] for row in after["phones"][len(before["phones"]) :]] == [
        (NAME, "1001", "1001", "1001", "secret-of-ada-1", "sip"),
        (NAME, "991001", "1001", "991001", "secret-of-twin-1", "webrtc"),
        (NAME, "alice", "1005", "alice-login", 'al;ice\'s, "p@ss^wörd"', "sip"),
    ]
    assert after["users"] == before["users"]
    assert counts(run(text, "--json", "--apply")) == {"unchanged": 3}
    assert dump(database) == after


def test_people_read_what_would_change_and_no_secret(run: Run) -> None:
    done = run(HEADER + ADA + "1002,,,,,,,\n")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "new extensions: 1, new phones: 1, skipped: 1",
        "This is the plan. Nothing was changed; --apply carries it out.",
    ]
    assert [line.split(maxsplit=4) for line in lines[2:]] == [
        ["change", "extension", "endpoint", "detail"],
        ["new", "extensions", "1001", "-", "-"],
        ["new", "phones", "1001", "1001", "sip"],
        ["skipped", "-", "1002", "its", "secret is empty"],
    ]
    assert "secret-of-ada" not in done.stdout + done.stderr


def test_changes_are_told_apart_and_applied(run: Run, database: TestDatabase) -> None:
    run(HEADER + ADA + TWIN + ALICE, "--apply")
    changed = HEADER + ADA.replace("secret-of-ada-1", "another-secret-1") + TWIN.replace("webrtc", "sip") + ALICE
    told = facts(run(changed, "--json", "--apply"))
    assert told["changed_secrets"] == [{"extension": "1001", "endpoint": "1001", "detail": "secret"}]
    assert told["other_changes"] == [{"extension": "1001", "endpoint": "991001", "detail": "profile"}]
    assert "another-secret-1" not in json.dumps(told)
    rows = column(database, "secret || ' ' || profile")
    assert rows[:2] == ["another-secret-1 sip", "secret-of-twin-1 sip"]
    assert counts(run(changed, "--json")) == {"unchanged": 3}


def test_a_phone_that_moves_to_another_extension_keeps_its_endpoint(run: Run, database: TestDatabase) -> None:
    run(HEADER + "alice,alice,secret-of-alice,,,,,\n", "--apply")
    told = facts(run(HEADER + "1005,alice,secret-of-alice,,,,,\n", "--json", "--apply"))
    assert told["other_changes"] == [{"extension": "1005", "endpoint": "alice", "detail": "extension"}]
    assert told["gone_extensions"] == [{"extension": "alice", "endpoint": None, "detail": None}]
    assert column(database, "endpoint || extension") == ["alice1005"]


def test_gone_phones_are_marked_and_unmarked_and_removed_on_demand(run: Run, database: TestDatabase) -> None:
    many = "".join(f"{number},,secret-of-{number},,,,,\n" for number in range(2000, 2020))
    run(HEADER + ADA + ALICE + many, "--apply")
    told = facts(run(HEADER + ADA + many, "--json", "--apply"))
    assert told["gone_phones"] == [{"extension": "1005", "endpoint": "alice", "detail": None}]
    assert (told["gone_extensions"], told["newly_missing"]) == (
        [{"extension": "1005", "endpoint": None, "detail": None}],
        [{"extension": None, "endpoint": "alice", "detail": None}],
    )
    assert column(database, "endpoint", missing=True) == ["alice"]
    assert counts(run(HEADER + ADA + ALICE + many, "--json", "--apply")) == {"returned": 1, "unchanged": 22}
    assert column(database, "endpoint", missing=True) == []

    assert counts(run(HEADER + ADA + many, "--json", "--apply", "--remove-gone"))["removed_phones"] == 1
    assert column(database, "extension")[1:] == [str(number) for number in range(2000, 2020)]


def test_more_than_a_tenth_is_removed_only_with_yes(run: Run, database: TestDatabase) -> None:
    run(HEADER + ADA + TWIN + ALICE, "--apply")
    before = dump(database)
    for options in (("--remove-gone",), ("--remove-gone", "--apply")):
        done = run(HEADER + ADA, *options)
        assert (done.returncode, done.stdout) == (1, "")
        assert "--remove-gone would remove 2 of 3 phones, more than 10%" in done.stderr
    assert dump(database) == before
    assert counts(run(HEADER + ADA, "--json", "--remove-gone", "--apply", "--yes")) == {
        "removed_phones": 2,
        "removed_extensions": 1,
        "newly_missing": 2,
        "unchanged": 1,
    }
    assert column(database, "endpoint") == ["1001"]


def test_a_file_without_secrets_watches_extensions_and_touches_no_phone(run: Run, database: TestDatabase) -> None:
    run(HEADER + ADA, "--apply")
    assert counts(run("extension\n1003\n", "--json", "--apply")) == {"new_extensions": 1}
    assert column(database, "endpoint", missing=True) == []
    done = run("extension\n1003\n", "--remove-gone")
    assert (done.returncode, "this file has no column secret" in done.stderr) == (1, True)


def test_numbers_of_another_call_server_need_a_prefix(run: Run, database: TestDatabase) -> None:
    text = "extension,secret\n12342,secret-of-branch\n"
    skipped = facts(run(text, "--json", "--apply"))["skipped"]
    assert [(one["endpoint"], one["detail"]) for one in skipped] == [
        ("12342", "its number 12342 belongs to call server main: use --prefix")
    ]
    assert counts(run(text, "--json", "--apply", "--prefix", "8")) == {"new_extensions": 1, "new_phones": 1}
    assert [row[:3] for row in dump(database)["extensions"]][-1] == ("812342", NAME, "12342")
    assert column(database, "endpoint || ' ' || extension") == ["12342 812342"]
    assert counts(run(text, "--json", "--apply")) == {"unchanged": 1}
    done = run(text, "--prefix", "9")
    assert (done.returncode, "have the prefix '8'" in done.stderr) == (1, True)


def test_a_wrong_line_in_the_middle_of_20_000_is_named_and_nothing_is_applied(run: Run, database: TestDatabase) -> None:
    before = dump(database)
    rows = [f"{number},secret-of-{number}" for number in range(100_000, 120_000)]
    wrong = "\n".join(["extension,secret", *rows[:9_999], "not a number,x", *rows[9_999:]])
    done = run(wrong, "--apply")
    assert done.returncode == 1
    assert "line 10001: an extension is 1 to 40 of" in done.stderr
    assert dump(database) == before
    began = perf_counter()
    assert counts(run("\n".join(["extension,secret", *rows]), "--json", "--apply"))["new_phones"] == 20_000
    assert perf_counter() - began < 60
    assert counts(run("\n".join(["extension,secret", *rows]), "--json", "--apply")) == {"unchanged": 20_000}


def test_a_failure_in_the_middle_rolls_everything_back(run: Run, database: TestDatabase) -> None:
    run(HEADER + ADA + TWIN, "--apply", "--with-users")
    execute(
        database,
        """
        create function fail() returns trigger language plpgsql as $$
        begin raise exception using errcode = '57P01', message = 'terminated in the middle'; end $$;
        create trigger fail before insert on users for each row execute function fail();
        """,
    )
    before = dump(database)
    done = run(HEADER + ADA.replace("of-ada", "of-eve") + ALICE, "--apply", "--with-users", "--remove-gone", "--yes")
    assert (done.returncode, "terminated in the middle" in done.stderr) == (1, True)
    assert dump(database) == before


def test_a_managed_call_server_is_refused_with_what_to_set(run: Run, database: TestDatabase) -> None:
    before = dump(database)
    done = run(HEADER + ADA, "--apply", CREDENTIALS="managed")
    assert (done.returncode, done.stdout) == (1, "")
    assert "set CONNECTOR_CALL_SERVERS__BRANCH__CREDENTIALS=imported and run migrate" in done.stderr
    execute(database, "update call_servers set credentials = 'managed' where name = $1", NAME)
    done = run(HEADER + ADA, "--apply")
    assert (done.returncode, "takes call server branch for a managed one: run migrate" in done.stderr) == (1, True)
    execute(database, "delete from call_servers where name = $1", NAME)
    done = run(HEADER + ADA, "--apply")
    assert (done.returncode, "does not know call server branch: run migrate" in done.stderr) == (1, True)
    assert dump(database) == before


def test_a_file_is_read_and_one_that_cannot_be_is_named(
    run: Run,
    database: TestDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "extensions.csv"
    file.write_text("\ufeff" + HEADER + ADA)
    for path, code in ((file, 0), (tmp_path, 1), (tmp_path / "nowhere", 1)):
        arguments = (*IMPORT, "--from-csv", str(path), "--apply")
        done = in_this_process(monkeypatch, capsys, variables(database), *arguments)
        assert done.returncode == code
        assert code == 0 or f"{path} cannot be read" in done.stderr
    assert column(database, "endpoint") == ["1001"]


def test_an_unknown_call_server_and_a_wrong_prefix_are_refused(run: Run) -> None:
    assert "the settings have: branch, main" in run(HEADER + ADA, "--call-server", "nowhere").stderr
    assert "a prefix is 1 to 40 of" in run(HEADER + ADA, "--prefix", "ü").stderr


def test_what_was_imported_is_in_the_log_without_secrets(run: Run, logged: list[dict[str, Any]]) -> None:
    run(HEADER + ADA + TWIN, "--apply")
    (line,) = [line for line in logged if line["event"] == "extensions_imported"]
    assert (line["call_server"], line["source"], line["new_phones"], line["changed_secrets"]) == (NAME, "csv", 2, 0)
    assert "secret-of-ada" not in repr(line)
