"""`phone list|create|setup|rotate|delete` and `user passwd --keep-phones`, as an operator types them."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from service.db import phone_setups
from service.db.pool import Database
from service.domain.setup_tokens import hash_setup_token
from service.errors import NoSuchLink
from tests.integration.db.test_secret_life import auths
from tests.support import qr_reader
from tests.support.command_line import ROOT, Done, environment, in_this_process, process_environment
from tests.support.database import TestDatabase
from tests.support.imported import PBX, import_alice
from tests.support.origins import PREPARED

PUBLIC_URL = "https://phone.example.com"
LINK = re.compile(re.escape(PUBLIC_URL) + r"/p/([A-Za-z0-9_-]{32})")
Run = Callable[..., Done]


@pytest.fixture
def run(database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, given: bytes = b"", **values: str) -> Done:
        variables = environment(database, **{"PUBLIC_URL": PUBLIC_URL, **values})
        return in_this_process(monkeypatch, capsys, variables, *arguments, given=given)

    return run


def well(done: Done) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(done: Done) -> str:
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


def made(run: Run, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(well(run("--json", "phone", "create", "dnhai", "--kind", "linphone", *more)))
    return found


def fetched(database: TestDatabase, url: str) -> phone_setups.Fetched:
    """What a phone fetches by a link."""

    async def fetch() -> phone_setups.Fetched:
        found = LINK.fullmatch(url)
        assert found is not None
        hash_ = hash_setup_token(found[1])
        assert hash_ is not None
        async with Database.of(database.settings()) as pool:
            return await phone_setups.fetch(pool, hash_, origin=PREPARED, shown_as="test")

    return asyncio.run(fetch())


def endpoints(database: TestDatabase) -> set[str]:
    return set(asyncio.run(auths(database)))


def test_a_phone_is_created_with_a_link_that_fetches_its_password(run: Run, database: TestDatabase) -> None:
    told = well(run("phone", "create", "DNHAI", "--kind", "linphone", "--label", "Mobile"))
    sentence, url = told.splitlines()
    found = re.fullmatch(
        r"Created phone (\d+) of dnhai: (12342\.[a-z2-9]{6})\. The link is valid until 20\S+Z\.", sentence
    )
    assert found is not None, sentence
    number, endpoint = found.groups()
    assert fetched(database, url).endpoint == endpoint
    assert (row := phones(run, "12342")[1])["endpoint"] == endpoint
    assert (row["user"], row["kind"], row["label"]) == ("dnhai", "linphone", "Mobile")
    assert row["phone_id"] == int(number)
    assert row["last_fetched_at"] is None


def phones(run: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(well(run("phone", "list", *arguments, "--json")))
    return found


def test_phones_are_listed_by_extension_or_endpoint_or_all(run: Run, database: TestDatabase) -> None:
    endpoint = made(run)["endpoint"]
    for name in ("12342", endpoint):
        assert [row["endpoint"] for row in phones(run, name)] == ["12342", endpoint]
    assert [row["endpoint"] for row in phones(run)] == ["12342", endpoint, "12343"]
    assert "there is no extension '999'" in refused(run("phone", "list", "999"))
    lines = well(run("phone", "list")).splitlines()
    assert lines[0].split()[:4] == ["phone_id", "extension", "endpoint", "user"]


def test_a_new_link_ends_the_one_before_and_a_browser_has_none(run: Run, database: TestDatabase) -> None:
    phone = made(run)
    told = well(run("phone", "setup", str(phone["phone_id"]))).splitlines()
    assert told[0].startswith(
        f"Made a set-up link for phone {phone['phone_id']}, {phone['endpoint']}. The link is valid"
    )
    assert told[1] != phone["url"]
    assert fetched(database, told[1]).phone_id == phone["phone_id"]
    with pytest.raises(NoSuchLink):
        fetched(database, phone["url"])
    browser = json.loads(well(run("--json", "phone", "create", "dnhai", "--kind", "browser")))
    assert (browser["url"], browser["expires_at"]) == (None, None)
    assert "a phone of kind browser is not set up by a link" in refused(run("phone", "setup", str(browser["phone_id"])))


def test_without_a_public_url_a_phone_has_no_link(run: Run) -> None:
    (sentence,) = well(run("phone", "create", "dnhai", "--kind", "linphone", PUBLIC_URL="")).splitlines()
    number = re.match(r"Created phone (\d+) of dnhai: 12342\.\w+\.$", sentence)
    assert number is not None
    assert "CONNECTOR_PUBLIC_URL is not set" in refused(run("phone", "setup", number[1], PUBLIC_URL=""))


def test_a_lost_phone_is_deleted_alone(run: Run, database: TestDatabase) -> None:
    lost, kept = made(run), made(run)
    told = well(run("phone", "delete", str(lost["phone_id"])))
    assert told == (
        f"Deleted phone {lost['endpoint']} of extension 12342. A registration that it has ends within 300 s.\n"
    )
    assert endpoints(database) == {"12342", "12343", kept["endpoint"]}
    assert f"there is no phone {lost['phone_id']}" in refused(run("phone", "delete", str(lost["phone_id"])))
    own = str(phones(run, "12342")[0]["phone_id"])
    assert "own phone of extension 12342" in refused(run("phone", "delete", own))


def test_a_phone_is_rotated_by_its_id(run: Run, database: TestDatabase) -> None:
    phone = made(run)
    told = well(run("phone", "rotate", str(phone["phone_id"])))
    assert told.startswith(f"Changed the SIP password of phone {phone['endpoint']}. The former one is valid until 20")
    assert "rotate then, or without an overlap" in refused(run("phone", "rotate", str(phone["phone_id"])))
    told = well(run("phone", "rotate", str(phone["phone_id"]), "--at-once"))
    assert told.endswith("The former one has ended.\n")
    assert len(asyncio.run(auths(database))[phone["endpoint"]]) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("create", "nophone", "--kind", "desk"), "this user has no extension"),
        (("create", "nobody", "--kind", "desk"), "nobody"),
        (("create", "dnhai", "--kind", "desk", "--label", "a\nb"), "a label is at most 200 printable characters"),
        (("create", "dnhai", "--kind", "desk", "--label", "x" * 201), "a label is at most 200 printable characters"),
        (("setup", "999"), "there is no phone 999"),
        (("rotate", "999"), "there is no phone 999"),
        (("delete", "999"), "there is no phone 999"),
        (("delete", "9223372036854775808"), "a value is out of range"),
    ],
)
def test_what_is_refused_says_why(run: Run, arguments: tuple[str, ...], error: str) -> None:
    assert error in refused(run("phone", *arguments))


def test_the_limit_counts_for_operators_too(run: Run) -> None:
    made(run)
    done = run("phone", "create", "dnhai", "--kind", "desk", PHONES_PER_PERSON="2")
    assert "extension 12342 has 2 phones, the maximum" in refused(done)


def test_on_an_imported_call_server_nothing_is_changed(run: Run, database: TestDatabase) -> None:
    ids = asyncio.run(import_alice(database))
    number = str(ids["alice"])
    for words in (("create", "nophone", "--kind", "desk"), ("setup", number), ("rotate", number), ("delete", number)):
        assert "Asterisk owns the endpoints of call server pbx" in refused(run("phone", *words, **PBX))
    assert len(phones(run, "1005")) == 3


def test_a_terminal_shows_the_code_that_the_app_scans(run: Run, database: TestDatabase) -> None:
    number = str(made(run)["phone_id"])
    for terminal, encoding in ((True, "utf-8"), (True, "ascii"), (False, "utf-8")):
        out = printed(database, terminal, encoding, "phone", "setup", number)
        url = next(line for line in out if LINK.fullmatch(line))
        code = out[out.index(url) + 1 :]
        if terminal and encoding == "utf-8":
            assert qr_reader.read_lines(code) == f"{url}/linphone.xml"
        else:
            assert code == []


def printed(database: TestDatabase, terminal: bool, encoding: str, *arguments: str) -> list[str]:
    """What a command prints, on a terminal or into a pipe."""
    variables = {**environment(database, PUBLIC_URL=PUBLIC_URL), "PYTHONIOENCODING": encoding}
    ours, theirs = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *arguments], cwd=ROOT, env=process_environment(variables), stdout=theirs
    )
    os.close(theirs)
    output = b""
    try:
        while chunk := os.read(ours, 65536):
            output += chunk
    except OSError:  # a terminal whose other end is closed
        pass
    os.close(ours)
    assert process.wait(30) == 0
    return output.decode().splitlines()


@pytest.mark.parametrize("keep", [False, True])
def test_a_new_password_ends_device_urls_unless_they_are_kept(run: Run, database: TestDatabase, keep: bool) -> None:
    phone = made(run)
    before = fetched(database, phone["url"]).secret
    told = well(run("user", "passwd", "dnhai", *(["--keep-phones"] if keep else []), given=b"a new password 1\n"))
    assert told.endswith(" Kept the device URLs of their phones.\n") is keep
    assert before not in asyncio.run(auths(database))[phone["endpoint"]]
    (row,) = asyncio.run(database.rows("select link_hash, device_hash from phone_setups"))
    assert row["link_hash"] is None
    assert (row["device_hash"] is not None) is keep
    (audited,) = asyncio.run(database.rows("select details from audit where action = 'user.password'"))
    assert ("keep_phones" in audited["details"]) is keep
