"""What a token opens, by the role of its holder, and what ends it. Every call that reads is asked of everybody."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from service.cli.demo import SECOND_SIP_PASSWORD, SIP_PASSWORD
from service.domain.presence.scope import OWN as OWN_SCOPE
from service.web.routes import FAMILIES
from tests.support.database import TestDatabase, cloned
from tests.support.server import ADMIN_UID, AGENT_UID, REGISTRATION, Server, Start, serving

CLIENT, AGENT, ADMIN = "client", "agent", "admin"
HOLDERS = {CLIENT: (1797, "hT5rLwQ8vKz2fYj6N"), AGENT: (1795, AGENT_UID), ADMIN: (1, ADMIN_UID)}
OTHER_UID = "Sq7mWdXk3nPzT9cRb"
CLIENT_SECRET = "SIP-password-of-the-client"
SECRETS = {"77": CLIENT_SECRET, "12342": SIP_PASSWORD, "12343": SECOND_SIP_PASSWORD}
"""SIP passwords by extension: the client's, the agent's, another agent's."""
PEOPLE: list[dict[str, str]] = [{"id": uid} for _, uid in HOLDERS.values()] + [{"id": OTHER_UID}]
QUERIES: list[dict[str, str]] = [{}, *PEOPLE, *({"extension": number} for number in SECRETS)]
QUERIES += [{"userId": uid["id"], "type": "available"} for uid in PEOPLE]
QUERIES += [{"username": "agent2", "type": "available"}, {"text": "", "includeExtension": "12343"}]
IN_PATH = ("1", "1795", "1796", "1797", "12342", "12343", "77", "agent2", "dnhai")
USERS = ("1", "1795", "1796", "1797", "list")
BY_UID, BY_EXTENSION = REGISTRATION, "/api/v1/connector.extension.getRegistrationInfoByExtension"
DETAILS = "/api/v1/connector.extension.getDetails"


@pytest.fixture(scope="module")
async def shared(template: TestDatabase) -> AsyncIterator[Server]:
    """A service where the client has an extension too."""
    with cloned(template) as database:
        await database.execute(
            "insert into extensions (extension, secret, call_server, user_id) values ('77', $1, 'main', 1797)",
            CLIENT_SECRET,
        )
        async with serving(database.settings(requests_per_minute=100_000)) as server:
            yield server


def paths() -> Iterator[str]:
    """Every path that can be read and ends, with everything that may stand in it."""
    for operation in (each for family in FAMILIES.values() for each in family if each.method == "GET"):
        if operation.media_type == "text/event-stream" or operation.path.endswith("/logout"):
            continue
        before, brace, rest = operation.path.partition("{")
        yield from ([f"{before}{text}{rest.partition('}')[2]}" for text in IN_PATH] if brace else [operation.path])


async def opened(server: Server, headers: Mapping[str, str]) -> dict[str, set[str]]:
    """The calls whose answers hold a SIP password, and whose; `hash` stands for anybody's password hash."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in paths():
        for query in QUERIES:
            answer = await server.client.get(path, params=query, headers=headers)
            said = f"{await answer.text()} {dict(answer.headers)}"
            secrets = {number for number, secret in SECRETS.items() if secret in said}
            if "$2b$" in said:
                secrets.add("hash")
            if secrets:
                found[path] |= secrets
    return dict(found)


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        (CLIENT, {BY_UID: {"77"}}),
        (AGENT, {BY_UID: {"12342"}}),
        (
            ADMIN,
            {
                **{path: set(SECRETS) for path in (BY_UID, BY_EXTENSION, DETAILS)},
                **{
                    f"{prefix}/user/{user}": {"hash"}
                    for prefix in ("", "/v1")
                    for user in (1, 1795, 1796, 1797, "list")
                },
            },
        ),
    ],
)
async def test_a_token_opens_its_holders_sip_password_and_an_admins_token_everything(
    shared: Server, role: str, wanted: dict[str, set[str]]
) -> None:
    assert len(list(paths())) > 30
    assert await opened(shared, await shared.headers_of(*HOLDERS[role])) == wanted


async def test_nothing_is_opened_without_a_token_or_with_another_persons_id(shared: Server) -> None:
    token = await shared.headers_of(*HOLDERS[CLIENT])
    assert await opened(shared, {}) == {}
    assert await opened(shared, {**token, "X-User-Id": AGENT_UID}) == {}


async def test_a_new_password_answers_with_the_sip_password_that_follows_it(server: Server) -> None:
    """When the answer is there, a poll must not hand out the password that has just ended."""
    admin = await server.headers_of(*HOLDERS[ADMIN])
    await change(server, admin, passwd="another-password")
    assert SIP_PASSWORD not in await (await server.registration()).text()


async def test_a_setting_keeps_password_hashes_from_admins_too(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(mask_passwd=True))
    for path in ("/user/1795", "/user/list"):
        answer = await server.client.get(path, headers=await server.headers_of(*HOLDERS[ADMIN]))
        assert (answer.status, "$2b$" in await answer.text()) == (200, False)


async def logout(server: Server, token: dict[str, str], _: dict[str, str]) -> None:
    assert (await server.client.post("/api/v1/logout", headers=token)).status == 200


async def change(server: Server, admin: dict[str, str], **values: Any) -> None:
    assert (await server.client.patch("/user/1795", json=values, headers=admin)).status == 200


async def new_password(server: Server, _: dict[str, str], admin: dict[str, str]) -> None:
    await change(server, admin, passwd="another-password")


async def deactivate(server: Server, _: dict[str, str], admin: dict[str, str]) -> None:
    await change(server, admin, active=False)


@pytest.mark.parametrize("end", [logout, new_password, deactivate])
async def test_a_stolen_token_is_worth_nothing_after(server: Server, start: Start, end: Any) -> None:
    """Here when the answer is there, and on another replica within moments; activation does not bring it back."""
    other = await start(server.settings)
    token, admin = await server.headers_of(), await server.headers_of(*HOLDERS[ADMIN])
    assert (await server.registration(headers=token)).status == 200
    await end(server, token, admin)
    assert (await server.registration(headers=token)).status == 401
    await other.answers(401, token)
    if end is deactivate:
        await change(server, admin, active=True)
    await server.answers(401, token)
    assert (await server.client.post("/api/v1/login", json={"resume": token["X-Auth-Token"]})).status == 401


async def test_entity_tags_of_equal_answers_differ_between_databases_and_are_no_hash_of_the_answer(
    template: TestDatabase, database: TestDatabase, start: Start
) -> None:
    """So a tag in a proxy's log confirms no guess of a password, unless its key is stolen as well: it is in a dump."""
    await database.execute("update service_keys set key = sha256('another installation')")
    tags = []
    with cloned(template) as beside:
        for settings in (database.settings(), beside.settings()):
            async with serving(settings) as server:
                answer = await server.registration()
                body = await answer.read()
                tags.append(answer.headers["ETag"].strip('"'))
    assert len(set(tags)) == 2
    hashes = {name: hashlib.new(name, body) for name in ("md5", "sha1", "sha256", "blake2b")}
    digests = [each.hexdigest() for each in hashes.values()] + [hashlib.blake2b(body, digest_size=16).hexdigest()]
    assert [digest for digest in digests if any(digest.startswith(tag) for tag in tags)] == []


async def test_a_cursor_is_a_random_number_of_the_process_and_a_number_of_changes(shared: Server) -> None:
    """Whoever asks; a letter says whether they see only their own extension."""
    for role in (CLIENT, AGENT, ADMIN):
        answer = await shared.client.get("/api/v1/presence", headers=await shared.headers_of(*HOLDERS[role]))
        assert re.fullmatch(rf"[0-9a-f]{{12}}-[0-9]+({OWN_SCOPE})?", (await answer.json())["cursor"])
