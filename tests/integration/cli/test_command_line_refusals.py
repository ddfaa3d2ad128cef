"""What the command line refuses: one line each. In this process, as a new one for each takes a second."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.cli import main
from tests.support.command_line import environment, in_this_process
from tests.support.database import TestDatabase

Refused = Callable[..., str]


@pytest.fixture
def refused(database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Runs a command that refuses, and answers the one line that it says."""

    def run(*arguments: str, given: bytes = b"", code: int = 1, **values: str) -> str:
        variables = environment(database, **values)
        done = in_this_process(monkeypatch, capsys, variables, *arguments, given=given)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        (line,) = done.stderr.splitlines()
        return str(line.removeprefix("error: "))

    return run


@pytest.mark.parametrize(
    ("arguments", "given", "what"),
    [
        ("user create dnhai", "a password\n", "is taken"),
        ("user create new --email DNHAI@example.com", "a password\n", "is taken"),
        ("user create a@b", "a password\n", "a name has no '@'"),
        ("user create new --email nonsense", "a password\n", "an e-mail is somebody@somewhere"),
        ("user create new", "", "no password was given on standard input"),
        ("user create new", "\n", "no password was given on standard input"),
        ("user create new", "x" * 73, "72 bytes"),
        ("user create new", "seven77\n", "at least 8 characters"),
        ("user passwd dnhai", "x\n", "at least 8 characters"),
        ("user deactivate admin", "", "this is the last active admin"),
        ("user delete ADMIN", "", "this is the last active admin"),
        ("user delete id:1", "", "this is the last active admin"),
        ("user passwd nobody", "a password\n", "there is no user 'nobody'"),
        ("user deactivate nobody", "", "there is no user 'nobody'"),
        ("user delete nobody", "", "there is no user 'nobody'"),
        ("user auth-ip nobody 192.0.2.1", "", "there is no user 'nobody'"),
        ("user auth-ip dnhai 192.0.2.1 192.0.2.0/33", "", "'192.0.2.0/33' is neither an address nor a network"),
        ("extension create 12342", "", "is taken"),
        ("extension create a/b", "", "1 to 40 of A-Z a-z 0-9 _ -"),
        ("extension create 1 --call-server nowhere", "", "nowhere"),
        ("extension create 1 --password-stdin", "eleven-char\n", "12 to 80 printable characters"),
        ("extension create 1 --password-stdin", "a\tb and more\n", "12 to 80 printable characters"),
        ("extension create 70001 --password-stdin", "password-70001\n", "guessed: little more than its number"),
        ("extension assign 12342 nophone", "", "extension 12342 is somebody else's"),
        ("extension assign 1 nophone", "", "there is no extension '1'"),
        ("extension assign 12342 nobody", "", "there is no user 'nobody'"),
        ("extension rotate 1", "", "there is no extension '1'"),
        ("extension delete 1", "", "there is no extension '1'"),
        ("token issue nobody", "", "there is no user 'nobody'"),
        ("token issue inactive", "", "inactive is not active"),
        ("token revoke --hash abcdef", "", "at least 8"),
        ("token revoke --hash %%%%%%%%", "", "at least 8"),
        ("token revoke --hash 0000000000000000", "", "there is no token 0000000000000000"),
        ("token revoke --user nobody", "", "there is no user 'nobody'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_one_line(refused: Refused, arguments: str, given: str, what: str) -> None:
    assert what in refused(*arguments.split(), given=given.encode())


def test_a_user_with_an_extension_gets_no_second_one(refused: Refused) -> None:
    assert refused("extension", "assign", "12343", "dnhai") == "extension 12343 is somebody else's"
    assert main(["extension", "unassign", "12343"]) == 0
    assert refused("extension", "assign", "12343", "dnhai") == "this user has an extension already"


def test_with_two_call_servers_an_extension_must_say_which(refused: Refused) -> None:
    other = {f"CALL_SERVERS__OTHER__{name}": "x" for name in ("HOST", "AMI_HOST", "MONITOR_SECRET")}
    told = refused("extension", "create", "1", **other)
    assert told == "there are several call servers. Name one with --call-server: main, other"


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e300", "x", "1_0", "٣"])
def test_a_token_lives_a_time_that_makes_sense(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["token", "issue", "dnhai", f"--days={days}"])
    assert ended.value.code == 2
    assert "argument --days: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["user create new", "user passwd dnhai", "extension create 1 --password-stdin"])
def test_a_secret_that_is_no_utf_8_is_refused(refused: Refused, command: str) -> None:
    assert refused(*command.split(), given=b"p\xff\n").endswith("is not in UTF-8")


def test_nobody_waits_long_for_an_absent_database(refused: Refused) -> None:
    values = {"DATABASE_URL": "postgresql://x@127.0.0.1:9/x", "DATABASE_START_DEADLINE": "0.5"}
    assert refused("user", "list", code=2, **values).startswith("no PostgreSQL within 0.5 s: ")
