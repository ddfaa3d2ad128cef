"""Every operation of the API, over a real PostgreSQL, Asterisk and phone: its audit rows, and no secret anywhere.

The calls are those of the description's examples, so that a new operation takes part by itself.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest
import structlog
from structlog.testing import capture_logs

from local import asterisk_programs
from local.asterisk_programs import Programs
from service.cli.demo import ADMIN_TOKEN, LOGINS
from service.credentials import token_hash
from service.web import routes
from service.web.http.disclosures import DISCLOSURES
from service.web.openapi.operation_description import operation_id
from tests.integration.openapi.test_examples import EXCHANGES, Exchange, exchanged
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, REGISTRATION, Server

LEAVES: Mapping[str, list[str]] = {
    "getConnectorExtensionGetRegistrationInfoByUserId": ["secret.disclosed"],
    "getConnectorExtensionGetRegistrationInfoByExtension": ["secret.disclosed"],
    "getConnectorExtensionGetDetails": ["secret.disclosed"],
    "postConnectorExtensionCreate": ["extension.created", "extension.assigned"],
    "postConnectorExtensionUpdate": ["extension.updated"],
    "postConnectorExtensionDelete": ["extension.deleted"],
    "getPhones": ["token.issued"],
    "postPhones": ["token.issued", "phone.created", "phone.setup"],
    "postPhonesByIdSetup": ["phone.setup"],
    "deletePhonesById": ["token.issued", "phone.deleted"],
    "postPhonesByIdRotate": ["token.issued", "phone.rotated"],
    "deleteOmnichannelAgentExtensionByUsername": ["extension.unassigned"],
    "postOmnichannelAgentExtension": ["extension.assigned"],
    "postLogin": ["login"],
    "getLogout": ["token.issued", "token.revoked"],  # the test issues the agent's token
    "postLogout": ["token.issued", "token.revoked"],
    "getMe": ["token.issued"],
    "postBoardCodes": ["board.code"],
    "postBoardTokens": ["board.token"],
    "putPresence": ["token.issued", "presence.set"],
    "postPresenceStreamTicket": ["token.ticket"],
    "postAuth": ["login"],
    "postUserCreate": ["user.created"],
    "patchUserByUserId": ["user.updated"],
    "deleteUserByUserId": ["user.deleted"],
}
"""The actions of each operation that leaves a row."""
LEAVES_NOTHING = frozenset(
    (
        "getAudit", "getConnectorExtensionList", "getConnectorGetVersion", "getDocs", "getFaviconIco",
        "getHome", "getLivez", "getMetrics", "getOmnichannelAgentExtensionByUsername",
        "getOmnichannelAgentsAvailable", "getOmnichannelExtension", "getOmnichannelExtensions",
        "getOpenapiJson", "getPresence", "getPresenceByExtension", "getPresenceByExtensionHistory",
        "getPresenceStream", "getQueues", "getReadyz",
        "getStatus", "getStatusByExtension", "getUserByUserId", "getUserList", "getUsersGetPresence",
        "getUsersPresence", "getVoipCallServerCheckConnection", "getVoipManagementServerCheckConnection",
        "getVoipQueuesGetMembershipSubscription", "getVoipQueuesGetQueuedCallsForThisExtension",
        "getVoipQueuesGetSummary",
    )
)  # fmt: skip
"""Operations that change nothing and tell no secret."""
TYPED_AS_NAME = "pa$$word typed into the field of the name"
TYPED_SECRET, TYPED_PASSWORD = "a typed SIP password 1", "a typed password 1"


@dataclass
class Walk:
    """What a walk over the API left."""

    rows: dict[str, list[str]] = field(default_factory=dict)
    written: list[asyncpg.Record] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    metrics: str = ""
    secrets: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: what is asked here is HTTP."""
    return asterisk_programs.find()


@pytest.fixture(scope="module")
async def walk(phoned: Server, pbx: Pbx) -> Walk:
    """All operations, then errors with secrets in them, everything logged at debug."""
    made = Walk()
    structlog.configure(cache_logger_on_first_use=False)
    with capture_logs() as lines, _library_lines() as others:
        await _note_secrets(made, pbx.database)
        for name, exchange in EXCHANGES.items():
            made.rows[name] = await _left_by(phoned, pbx.database, name, exchange)
            await _note_secrets(made, pbx.database)  # of an extension that a later call deletes
        await _type_secrets(phoned, made)
        await _note_secrets(made, pbx.database)
        made.metrics = await (await phoned.client.get("/metrics")).text()
        await eventually(lambda: not phoned.app[DISCLOSURES].batches._new, what="the first disclosures have rows")
    made.written = await pbx.database.rows("select * from audit")
    made.log = [*map(_as_text, lines), *others]
    made.secrets |= {ADMIN_TOKEN, token_hash(ADMIN_TOKEN).hex(), TYPED_AS_NAME, TYPED_SECRET, TYPED_PASSWORD}
    made.secrets |= {password for _, password in LOGINS}
    return made


def test_every_operation_says_what_it_leaves_in_the_trail() -> None:
    operations = {operation_id(each) for family in routes.families(with_metrics=True).values() for each in family}
    assert LEAVES.keys() | LEAVES_NOTHING == {name for name in operations if name in EXCHANGES}
    assert not LEAVES.keys() & LEAVES_NOTHING


@pytest.mark.parametrize("name", EXCHANGES)
async def test_an_operation_leaves_the_rows_that_it_must(walk: Walk, name: str) -> None:
    assert walk.rows[name] == LEAVES.get(name, [])


async def test_each_row_of_a_request_says_who_from_where_and_in_which_request(walk: Walk) -> None:
    rows = [row for row in walk.written if row["actor_kind"] == "person"]
    assert {row["action"] for row in rows} >= {"secret.disclosed", "user.deleted", "login", "presence.set"}
    for row in rows:
        assert (row["actor"], row["actor_id"]) in {("admin", 1), ("dnhai", 1795)}, dict(row)
        assert row["address"] == "127.0.0.1", dict(row)
        assert row["request_id"], dict(row)


@pytest.mark.parametrize("place", ["rows", "log", "metrics", "errors"])
async def test_no_secret_token_or_hash_is_anywhere(walk: Walk, place: str) -> None:
    texts = {
        "rows": [str(dict(row)) for row in walk.written],
        "log": walk.log,
        "metrics": [walk.metrics],
        "errors": walk.errors,
    }[place]
    assert len(texts) > 0
    found = {secret: text for secret in walk.secrets for text in texts if secret in text}
    assert not found
    assert len(walk.secrets) > 20


async def _left_by(server: Server, database: TestDatabase, name: str, exchange: Exchange) -> list[str]:
    """The actions that one call left: rows, and disclosures in memory, whose rows come later."""
    (newest,) = await database.rows("select coalesce(max(audit_id), 0) as audit_id from audit")
    disclosed = _disclosed(server)
    await exchanged(server, name, exchange)
    rows = await database.rows(
        "select action from audit where audit_id > $1 and action not in ('secret.disclosed', 'token.refused') "
        "order by audit_id",
        newest["audit_id"],
    )
    return [row["action"] for row in rows] + ["secret.disclosed"] * (_disclosed(server) - disclosed)


def _disclosed(server: Server) -> int:
    return sum(batch.count for batch in server.app[DISCLOSURES].batches._batches.values())


async def _type_secrets(server: Server, made: Walk) -> None:
    """Secrets where they do not belong, and calls that fail."""
    client, wrong = server.client, {**ADMIN, "X-Auth-Token": "kXz1Vw0pZl8cYd5uQ3mT7rJb2sN9eGhA4fLiKoPvWxF"}
    made.secrets |= {wrong["X-Auth-Token"], token_hash(wrong["X-Auth-Token"]).hex()}
    for answer in (
        await client.post("/api/v1/login", json={"user": TYPED_AS_NAME, "password": TYPED_PASSWORD}),
        await client.post("/api/v1/login", json={"user": "dnhai", "password": TYPED_PASSWORD}),
        await client.post("/api/v1/login", json={"resume": wrong["X-Auth-Token"]}),
        await client.post("/auth", json={"email_or_name": "admin", "password": TYPED_PASSWORD}),
        await client.get(REGISTRATION, params={"id": "ByehQjC44FwMeiLbX"}, headers=wrong),
        await client.get("/user/1795", headers=wrong),
        await client.post("/user/create", json={"name": "a@b", "passwd": TYPED_PASSWORD}, headers=ADMIN),
        await client.patch("/user/1795", json={"passwd": "$2b$12$" + "x" * 53}, headers=ADMIN),
        await client.post(
            "/api/v1/connector.extension.create",
            json={"extension": "12342", "secret": TYPED_SECRET},
            headers=ADMIN,
        ),
        await client.post(
            "/api/v1/connector.extension.update",
            json={"extension": "999", "secret": TYPED_SECRET},
            headers=ADMIN,
        ),
    ):
        assert answer.status >= 400, await answer.text()
        made.errors.append(f"{await answer.text()} {answer.headers}")


async def _note_secrets(made: Walk, database: TestDatabase) -> None:
    """Everything secret that the database holds now."""
    for row in await database.rows("select passwd from users"):
        made.secrets.add(row["passwd"])
    for row in await database.rows("select secret from phones where secret is not null"):
        made.secrets.add(row["secret"])
    for row in await database.rows(
        "select encode(link_hash, 'hex') as hash from phone_setups where link_hash is not null"
    ):
        made.secrets.add(row["hash"])
    for row in await database.rows("select encode(token_hash, 'hex') as hash from tokens"):
        made.secrets.add(row["hash"])


@contextmanager
def _library_lines() -> Iterator[list[str]]:
    """What libraries log, at debug."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter().format(record))

    handler, root = Handler(logging.DEBUG), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _as_text(line: Mapping[str, object]) -> str:
    error = line.get("exc_info")
    trace = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
    return f"{dict(line)} {trace}"
