"""One person is one person: in memory, in PostgreSQL, on the command line, whatever the database's locale."""

# ruff: noqa: RUF001
from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.postgres import Postgres
from service.db.diagnostics import check
from service.db.migrate import migrate
from service.db.pool import Database
from service.domain.user_names import folded
from service.errors import Refused
from tests.support.command_line import Done, environment, in_this_process
from tests.support.database import OWNER, PASSWORD, TestDatabase
from tests.support.server import ADMIN, Server, told
from tests.support.user_calls import NEW, asked, listed, made, refused

LOCALES = {
    "c": "lc_collate 'C' lc_ctype 'C'",
    "c_utf8": "lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'",
    "turkish": "locale_provider icu icu_locale 'tr-TR' lc_collate 'C' lc_ctype 'C'",
}
PLANES = (
    (0x1, 0x3400), (0xA000, 0xAC80), (0xD780, 0xD800), (0xF900, 0x12000), (0x16000, 0x17000), (0x1B000, 0x20010),
    (0x2F800, 0x2FA20), (0xE0000, 0xE0200),
)  # fmt: skip
"""Every code point but most of those that are all alike: ideographs, syllables, private use, nothing."""
NEW_MARKS = "\u0897\u0898\u1ac1\u1adb\U00010d69\U00010efd\U000113b8\U00011f42\U000105c9\U000113ce\U0001e6e3"
"""Marks and composed letters of Unicode 13 to 17: some releases of Python and PostgreSQL normalize them."""
SPECIAL = "iIİı\u0307ßẞſKÅΣσςͅ\u0301\u0323\u0327\u3099\u1100\u1161\u11a8\u200c\u200d\ufe0f\U000e0100" + NEW_MARKS
TEXTS = st.lists(
    st.text(
        st.one_of(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), st.sampled_from(SPECIAL)),
        max_size=60,
    ),
    min_size=50,
    max_size=50,
)
SOPHIA, NFD = "ΣΟΦΟΣ", "Zoe\u0308"


@pytest.fixture(scope="module", params=LOCALES)
def elsewhere(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A migrated database with another locale."""
    name = f"locale_{request.param}"
    postgres.sql(f"create database {name} template template0 encoding 'UTF8' {LOCALES[request.param]}")
    postgres.create_database(name, OWNER, PASSWORD)
    postgres.sql(f"alter database {name} owner to {OWNER}")
    made = TestDatabase(postgres, name)
    try:
        yield made
    finally:
        postgres.sql(f"drop database {name} with (force)")


def test_both_sides_fold_alike_in_every_locale(elsewhere: TestDatabase) -> None:
    def compare(connection: asyncpg.Connection, texts: list[str]) -> None:
        rows = loop.run_until_complete(
            connection.fetch("select given, folded(given) as key from unnest($1::text[]) as given", texts)
        )
        assert {row["given"]: row["key"] for row in rows} == {text: folded(text) for text in texts}

    @settings(max_examples=40, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @given(TEXTS)
    def property_(texts: list[str]) -> None:
        compare(connection, texts)

    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(migrate(elsewhere.settings()))
        connection = loop.run_until_complete(elsewhere.connect())
        letters = [chr(number) for first, end in PLANES for number in range(first, end)]
        compare(connection, ["x".join(letters[at : at + 500]) for at in range(0, len(letters), 500)])
        loop.run_until_complete(connection.execute("set standard_conforming_strings = off"))
        loop.run_until_complete(connection.execute("discard plans"))
        property_()
        loop.run_until_complete(connection.close())
    finally:
        loop.close()


async def test_a_name_in_any_form_is_the_same_person_everywhere(server: Server) -> None:
    user = await made(server, name=NFD, email="ΣΟΦΙΑ@example.com", user_type="agent")
    assert user["name"] == "Zoë"
    for name in (NFD, "ZOË", unicodedata.normalize("NFD", "ZOË"), "zoë\u200d", "σοφια@EXAMPLE.com"):
        headers = await server.login(name, NEW["passwd"])
        if "@" in name:
            continue
        answer = await server.client.get("/api/v1/users.getPresence", params={"username": name}, headers=headers)
        assert await told(answer) == (200, {"presence": "offline", "connectionStatus": "offline", "success": True})
        given = {"username": name, "extension": "12343"}
        await server.client.delete("/api/v1/omnichannel/agent/extension/agent2", headers=ADMIN)
        answer = await server.client.post("/api/v1/omnichannel/agent/extension", json=given, headers=ADMIN)
        assert answer.status == 200
        answer = await server.client.get(f"/api/v1/omnichannel/agent/extension/{name}", headers=ADMIN)
        assert (await told(answer))[1]["extension"]["username"] == "Zoë"
        query = {"type": "available", "username": name}
        answer = await server.client.get("/api/v1/omnichannel/extension", params=query, headers=ADMIN)
        assert (await told(answer))[1]["extensions"] == ["12343"]
        answer = await server.client.delete(f"/api/v1/omnichannel/agent/extension/{name}", headers=ADMIN)
        assert (await told(answer))[1]["extension"]["username"] == "Zoë"


async def test_two_people_are_never_one(database: TestDatabase, server: Server) -> None:
    await made(server, name=SOPHIA, email="σ@example.com")
    for text in ("σοφος", "οφοΣ", "σοφοσ\u200d"):
        assert [item["name"] for item in (await listed(server, search=text))["items"]] == [SOPHIA]
    errors = await refused(server, "POST", "/user/create", {**NEW, "name": "σοφος", "email": "Σ@example.com"})
    assert errors.keys() == {"name", "email"}
    for write in (
        "insert into users (name, passwd, user_type, uid) values ('σοφος', '', 'agent', 'Sq7mWdXk3nPzT9cRc')",
        "update users set name = 'σοφοσ' where user_id = 1796",
        "update users set email = 'ς@example.com' where user_id = 1796",
    ):
        with pytest.raises(asyncpg.UniqueViolationError):  # so the release before cannot do it, nor can psql
            await database.execute(write)


async def test_migrating_names_who_would_become_one_person_and_changes_nothing(database: TestDatabase) -> None:
    await database.execute("drop index users_folded_name_key, users_folded_email_key")
    await database.execute("delete from schema_migrations where revision = '0006'")
    await database.execute("update users set name = 'ΣΟΦΟΣ' where user_id = 1796")
    await database.execute("update users set name = 'σοφος', email = 'A@ß' where user_id = 1797")
    before = await database.rows("select * from users order by user_id")
    with pytest.raises(Refused, match=r"^migration 0006_\w+ failed: .* share one: 1796 ΣΟΦΟΣ, 1797 σοφος\. Give"):
        await migrate(database.settings())
    assert await database.rows("select * from users order by user_id") == before
    assert await database.rows("select from pg_class where relname like 'users_folded%'") == []
    await database.execute("update users set name = 'sophos' where user_id = 1797")
    await migrate(database.settings())


COMMANDS = (
    ("token", "revoke", "--user"),
    ("token", "issue"),
    ("user", "deactivate"),
    ("user", "activate"),
    ("user", "auth-ip"),
    ("user", "show"),
    ("extension", "assign", "12343"),
    ("user", "delete"),
)


def test_every_command_takes_a_person_by_name_e_mail_uid_or_user_id(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> Done:
        return in_this_process(monkeypatch, capsys, environment(database), *arguments)

    asyncio.run(database.execute("update extensions set user_id = null"))
    people = (
        "AGENT2",
        "Agent2@Example.com",
        "Sq7mWdXk3nPzT9cRb",
        "1796",
        "id:1796",
        "name:agent2",
        "email:agent2@example.com",
    )
    for command in COMMANDS[:-1]:
        for person in people:
            done = run(*command, person)
            assert (done.returncode, done.stderr) == (0, ""), (command, person)
        for nobody in ("nobody", "id:agent2", "uid:1796", "", "0", "name:", "x" * 3_000, "\ud800", "9" * 30):
            done = run(*command, nobody)
            assert (done.returncode, done.stdout) == (1, ""), (command, nobody)
            assert done.stderr.startswith("error: there is no user ")
    assert run("token", "issue", "agent2@example.com").returncode == 0
    assert run("token", "revoke", "--user", "agent2@example.com").stdout == "Revoked 1 token of agent2.\n"
    assert run("user", "delete", "1796").stdout == "Deleted user agent2.\n"


def test_a_word_that_means_two_people_is_refused(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> Done:
        return in_this_process(monkeypatch, capsys, environment(database), *arguments)

    asyncio.run(database.execute("update users set name = '1795' where user_id = 1796"))
    done = run("user", "deactivate", "1795")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: '1795' may be any of id:1795 (dnhai), id:1796 (1795): say which\n"
    assert run("user", "deactivate", "id:1795").stdout == "Deactivated user dnhai.\n"
    assert run("user", "deactivate", "name:1795").stdout == "Deactivated user 1795.\n"


@pytest.mark.parametrize("name", ["admin\u200b", "\u202enimda", "ad\u00a0min", "admin "])
async def test_a_name_that_looks_like_anothers_is_given_to_nobody(
    server: Server,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    for method, path in (("POST", "/user/create"), ("PATCH", "/v1/user/1795")):
        status, body = await asked(server, method, path, {**NEW, "name": name})
        assert (status, list(body["errors"])) == (400, ["name"])

    def create() -> Done:
        return in_this_process(
            monkeypatch, capsys, environment(database), "user", "create", name, given=b"a password\n"
        )

    done = await asyncio.to_thread(create)
    assert (done.returncode, done.stderr[:14]) == (1, "error: a name ")


async def test_a_name_from_before_the_rule_goes_on_and_check_tells_of_it(
    database: TestDatabase, server: Server
) -> None:
    async def told() -> list[str]:
        found = [finding async for finding in check(server.settings, Database.of(server.settings))]
        return [finding.what for finding in found if "looks like another" in finding.what and not finding.needed]

    assert await told() == []
    await database.execute("update users set name = $1 where user_id = 1795", "ad\u200bmin")
    await database.execute("update users set email = $1 where user_id = 1796", "a\u202e@example.com")
    assert await told() == ["a name or e-mail that looks like another: user_id 1795, 1796, 2 in all"]
    headers = await server.login("AD\u200bmin", "demo-agent-password")
    answer = await server.client.get("/api/v1/me", headers=headers)
    assert (await answer.json())["username"] == "ad\u200bmin"
