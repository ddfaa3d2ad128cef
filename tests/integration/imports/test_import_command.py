"""`extension import` from CSV files: plan, apply, repeat, remove, and what is refused."""

from __future__ import annotations

import asyncio
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
    """The numbers of changes; a weak password is none."""
    return {kind: count for kind, count in facts(done)["counts"].items() if count and kind != "weak_passwords"}


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
        "new extensions: 1, new phones: 1, skipped: 1, weak passwords: 1",
        "This is the plan. Nothing was changed; --apply carries it out.",
    ]
    assert [line.split(maxsplit=4) for line in lines[2:]] == [
        ["change", "extension", "endpoint", "detail"],
        ["new", "extensions", "1001", "-", "-"],
        ["new", "phones", "1001", "1001", "sip"],
        ["skipped", "-", "1002", "its", "secret is empty"],
        ["weak", "passwords", "1001", "1001", "little more than its number or a name and common words"],
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

    assert counts(run(HEADER + ADA + many, "--json", "--apply", "--remove-gone"))["gone_phones"] == 1
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
        "gone_phones": 2,
        "gone_extensions": 1,
        "newly_missing": 2,
        "unchanged": 1,
    }
    assert column(database, "endpoint") == ["1001"]


def test_no_copy_of_a_secret_is_left_when_a_phone_is_removed_or_moves(run: Run, database: TestDatabase) -> None:
    def copies() -> dict[str, str | None]:
        query = "select extension, secret from extensions where call_server = $1"
        return dict(tuple(row) for row in asyncio.run(database.rows(query, NAME)))

    run("extension,endpoint,secret\n1001,1001,secret-of-ada-1\nalice,alice,secret-of-alice\n", "--apply")
    assert copies() == {"1001": "secret-of-ada-1", "alice": "secret-of-alice"}
    moved = "extension,endpoint,secret\n1005,alice,secret-of-alice\n1001,991001,secret-of-twin-1\n"
    run(moved, "--apply", "--remove-gone", "--yes")
    assert copies() == {"1001": None, "1005": None}


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
    text = "\n".join(["extension,secret", *rows])
    assert counts(run(text, "--json", "--apply", "--with-users"))["new_people"] == 20_000
    assert perf_counter() - began < 60
    assert counts(run(text, "--json", "--apply", "--with-users")) == {"unchanged": 20_000}


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


def test_people_are_created_or_assigned_and_nobody_loses_anything(run: Run, database: TestDatabase) -> None:
    """`nophone` of the demo has no extension, `dnhai` has one, `inactive` is deactivated."""
    text = (
        "extension,secret,user,email,name\n"
        "2001,a-secret-of-2001,Zoë,zoe@example.com,Zoë Z\n"
        "2002,a-secret-of-2002,NOPHONE,,\n"
        "2003,a-secret-of-2003,dnhai,,\n"
        "2004,a-secret-of-2004,inactive,,\n"
        "2005,a-secret-of-2005,ÁDA,,\n"
        "2006,a-secret-of-2006,a\u0301da,,\n"
        "2007,a-secret-of-2007,new,DNHAI@example.com,\n"
        "2008,a-secret-of-2008,,,\n"
    )
    before = dump(database)
    told = facts(run(text, "--json", "--apply", "--with-users"))
    assert [(one["extension"], one["detail"]) for one in told["new_people"]] == [("2001", "Zoë"), ("2008", "2008")]
    assert [(one["extension"], one["detail"]) for one in told["assigned_people"]] == [("2002", "nophone")]
    assert {one["extension"]: one["detail"] for one in told["without_person"]} == {
        "2003": "dnhai has extension 12342 already",
        "2004": "inactive is deactivated",
        "2005": "the source names ÁDA for several extensions",
        "2006": "the source names áda for several extensions",
        "2007": "DNHAI@example.com is the e-mail of dnhai",
    }
    after = dump(database)
    assert after["users"][: len(before["users"])] == before["users"]
    assert [row[1:] for row in after["users"][len(before["users"]) :]] == [
        ("Zoë", "Zoë Z", "zoe@example.com", "", "agent", True),
        ("2008", None, None, "", "agent", True),
    ]
    holders = {row[0]: row[4] for row in after["extensions"]}
    assert {number: holders[number] for number in ("12342", "12343")} == {
        row[0]: row[4] for row in before["extensions"] if row[0] in ("12342", "12343")
    }
    assert sum(holders[str(number)] is not None for number in range(2001, 2009)) == 3
    again = facts(run(text, "--json", "--apply", "--with-users"))
    assert (again["new_people"], again["assigned_people"]) == ([], [])
    assert dump(database) == after


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
