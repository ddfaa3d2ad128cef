"""No endpoint without an auth, whatever a phone's passwords are: Asterisk would ask it for none."""

from __future__ import annotations

import asyncpg
import pytest

from service.domain.secret_keys import asterisk_setting
from tests.integration.db.test_secret_life import KEY, OTHER_KEY, with_key
from tests.support.database import ASTERISK, PASSWORD, TestDatabase

PRESENT = ("none", "plain", "sealed", "sealed with another key", "broken")
FORMER = (*PRESENT, "expired plain", "expired sealed")
KEYS = {"none": "", "its own": asterisk_setting([KEY], "main"), "both": asterisk_setting([KEY, OTHER_KEY], "main")}
USABLE = {
    "none": {"plain"},
    "its own": {"plain", "sealed"},
    "both": {"plain", "sealed", "sealed with another key"},
}
"""What the keys of an Asterisk open."""


def columns(kind: str, prefix: str) -> str:
    """The columns of a password in this state."""
    secret = f"'{prefix or 'present_'}password'"
    sealed = {
        "sealed": f"sealed_secret({secret}, 'main', '{KEY.name}'), '{KEY.name}'",
        "sealed with another key": f"sealed_secret({secret}, 'main', '{OTHER_KEY.name}'), '{OTHER_KEY.name}'",
        "broken": rf"'\xdeadbeef'::bytea, '{KEY.name}'",
    }
    plain = secret if kind == "plain" else "null"
    return f"{plain}, {sealed.get(kind, 'null, null')}"


@pytest.fixture
async def phones(database: TestDatabase) -> TestDatabase:
    """A phone for each pair of states, named after it."""
    rows = []
    for number, (present, former) in enumerate((p, f) for p in PRESENT for f in FORMER):
        until = f"now() {'-' if former.startswith('expired') else '+'} interval '1 day'"
        kind = former.removeprefix("expired ")
        rows.append(
            f"('main', 'p{number}', '12342', 'p{number}', 'sip', '{present}/{former}', {columns(present, '')}, "
            f"{columns(kind, 'former_')}, {'null' if former == 'none' else until})"
        )
    names = "call_server, endpoint, extension, auth_username, profile, label, secret, sealed, sealed_with"
    former = "former_secret, former_sealed, former_sealed_with, former_until"
    # As the trigger stores no such row, and a release of another day or an operator may.
    await with_key(
        database,
        "create extension if not exists pgcrypto schema public",
        "alter table phones disable trigger keep_secret",
        f"insert into phones ({names}, {former}) values {', '.join(rows)}",  # noqa: S608
        "alter table phones enable trigger keep_secret",
        key=KEY,
        more_keys=(OTHER_KEY,),
    )
    return database


@pytest.mark.parametrize("keys", KEYS)
async def test_each_endpoint_that_is_shown_has_a_usable_auth_and_no_other(phones: TestDatabase, keys: str) -> None:
    """Over all states of the present password, all of the former one, and the keys of Asterisk."""
    settings = {"connector.keys": KEYS[keys]} if KEYS[keys] else {}
    url = phones.server.url(ASTERISK, phones.name)
    asterisk = await asyncpg.connect(url, password=PASSWORD, server_settings=settings)
    endpoints = {row["id"]: row["auth"] for row in await asterisk.fetch("select id, auth from ps_endpoints")}
    auths = {row["id"]: row for row in await asterisk.fetch("select * from ps_auths")}
    await asterisk.close()
    labels = {row["endpoint"]: row["label"] for row in await phones.rows("select endpoint, label from phones")}
    combinations = {endpoint: label.split("/") for endpoint, label in labels.items() if "/" in label}
    assert len(combinations) == len(PRESENT) * len(FORMER)
    for endpoint, (present, former) in combinations.items():
        expected = []
        if present in USABLE[keys]:
            expected.append((endpoint, "present_password"))
        if former in USABLE[keys]:
            expected.append((f"{endpoint}~", "former_password"))
        shown = endpoints.get(endpoint)
        assert (shown or "").split(",") == [name for name, _ in expected] or (not expected and shown is None), (
            f"{present}, {former}: {shown}"
        )
        for name, password in expected:
            row = auths[name]
            assert (row["username"], row["password"], row["auth_type"]) == (endpoint, password, "userpass")
    assert all(auth for auth in endpoints.values())
    named = {name for auth in endpoints.values() for name in auth.split(",")}
    assert named == auths.keys()
