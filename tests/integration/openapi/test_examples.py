"""The description's examples are what a real service answers, over a real PostgreSQL, Asterisk and phone.

What differs from run to run is replaced by one that looks like it. `make examples` writes the file anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from local import asterisk_programs
from local.asterisk_programs import Programs
from service.credentials import BOARD_PREFIX
from service.db.board_codes import SQL
from service.domain.board_codes import hash_board_code
from service.domain.presence.item import Item
from service.web import routes
from service.web.app_keys import DATABASE, PRESENCE_FEED
from service.web.openapi.examples import EXAMPLES, FILE
from service.web.openapi.operation_description import operation_id
from tests.support.eventually import eventually
from tests.support.server import ADMIN, AGENT_UID, Server

Json = Any
WRITE = os.environ.get("WRITE_EXAMPLES") == "1"
MOMENT = "2026-11-22T09:30:00"
BOARD_CODE = "7K3MW-9QX2D"
VARYING: Mapping[str, Json] = {
    "authToken": "kXz1Vw0pZl8cYd5uQ3mT7rJb2sN9eGhA4fLiKoPvWxE",
    "token": "kXz1Vw0pZl8cYd5uQ3mT7rJb2sN9eGhA4fLiKoPvWxE",
    "code": BOARD_CODE,
    "ticket": "mB3xQ8vT2nR6kW9jY5cZ1pL7dF4gH0sA-uEiOoKtVbN",
    "cursor": "q7JmXc2dRk0.42",
    "passwd": "$2b$12$Q9vT3xWk7RzYb1LmN5pJceXhUo0sGd8KfAiCwEuZtB2yVnMqHrSla",
    **dict.fromkeys(("asOf", "since", "until", "expiresAt", "formerValidUntil", "createdAt"), f"{MOMENT}.000Z"),
    "userAgent": "Example phone 1.0",
    **dict.fromkeys(("expired", "last_seen", "last_login_time", "create_time"), f"{MOMENT}.000000+00:00"),
    "login_ip": "192.0.2.17",
    "at": f"{MOMENT}.000Z",
    "requestId": "0f6c1b2e9d3a4c5b8e7f6a1d2c3b4e5f",
    "url": "https://phone.example.com/p/nR6kW9jY5cZ1pL7dF4gH0sA-uEiOoKtV",
    "qr": '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 45 45">…</svg>',
    "host": "pbx.example.com",
    "websocketPort": "443",
    "websocketPath": "wss://pbx.example.com/ws",
}
"""By key: what stands for a value of one's own, where there is one."""

OF_THE_MOMENT: Mapping[str, Json] = {
    "roundTripMs": 1.25,
    "is_online": 1,
    "changes": [{"at": f"{MOMENT}.000Z", "registered": True, "exact": True}],
    "notObserved": [{"since": "2026-11-22T08:00:00.000Z", "until": "2026-11-22T08:00:04.000Z"}],
}
"""The same, whatever it is, also null: it depends on the moment."""


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One call. `body` goes out as JSON; `excerpt` makes the example where the answer is no short JSON;
    `prepare` runs before it.

    Those behind it are asked once `done` holds of the extension's presence: Asterisk tells of a change in its own time.
    """

    who: str = "admin"
    arguments: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    excerpt: Callable[[str], Json] | None = None
    prepare: Callable[[Server], Awaitable[None]] | None = None
    done: Callable[[Item], bool] = lambda _: True


async def store_board_code(server: Server) -> None:
    """The code that the example redeems."""
    async with server.app[DATABASE].connection() as connection:
        await connection.execute(SQL["make"], hash_board_code(BOARD_CODE), 1, 60.0, "board")


FURTHER_PHONE = "4"  # behind those of two people, and of the extension that is created and deleted
NUMBER, NAME = {"extension": "12342"}, {"username": "dnhai"}
NEW_USER = {"name": "grace", "passwd": "a long enough password", "user_type": "agent", "email": "grace@example.com"}
EXCHANGES: Mapping[str, Exchange] = {
    "getConnectorExtensionGetRegistrationInfoByUserId": Exchange(arguments={"id": AGENT_UID}),
    "getConnectorGetVersion": Exchange(),
    "getConnectorExtensionList": Exchange(),
    "getConnectorExtensionGetDetails": Exchange(arguments=NUMBER),
    "getConnectorExtensionGetRegistrationInfoByExtension": Exchange(arguments=NUMBER),
    "getOmnichannelExtensions": Exchange(arguments={"count": "10"}),
    "getOmnichannelExtension": Exchange(arguments={"type": "available", **NAME}),
    "getOmnichannelAgentExtensionByUsername": Exchange(arguments=NAME),
    "postConnectorExtensionCreate": Exchange(body={"extension": "70001", "profile": "sip", "username": "nophone"}),
    "postConnectorExtensionUpdate": Exchange(body={"extension": "70001", "enabled": False}),
    "postConnectorExtensionDelete": Exchange(body={"extension": "70001"}),
    "deleteOmnichannelAgentExtensionByUsername": Exchange(arguments={"username": "agent2"}),
    "getOmnichannelAgentsAvailable": Exchange(arguments={"text": "a"}),
    "postOmnichannelAgentExtension": Exchange(body={"username": "agent2", "extension": "12343"}),
    "getPhones": Exchange(who="agent"),
    "postPhones": Exchange(who="agent", body={"kind": "linphone", "label": "Mobile"}),
    "postPhonesByIdSetup": Exchange(arguments={"id": FURTHER_PHONE}),
    "deletePhonesById": Exchange(who="agent", arguments={"id": FURTHER_PHONE}),
    "postPhonesByIdRotate": Exchange(who="agent", arguments={"id": "1"}, body={"overlap": 3600}),
    "getQueues": Exchange(),
    "getVoipQueuesGetSummary": Exchange(),
    "getVoipQueuesGetQueuedCallsForThisExtension": Exchange(arguments=NUMBER),
    "getVoipQueuesGetMembershipSubscription": Exchange(arguments=NUMBER),
    "getVoipManagementServerCheckConnection": Exchange(),
    "getVoipCallServerCheckConnection": Exchange(),
    "postLogin": Exchange(who="nobody", body={"user": "dnhai", "password": "demo-agent-password"}),
    "getMe": Exchange(who="agent"),
    "postBoardCodes": Exchange(),
    "postBoardTokens": Exchange(who="nobody", body={"code": BOARD_CODE}, prepare=store_board_code),
    "getLogout": Exchange(who="agent"),
    "postLogout": Exchange(who="agent"),
    "getPresence": Exchange(arguments=NUMBER),
    "getPresenceByExtension": Exchange(arguments=NUMBER),
    "putPresence": Exchange(
        who="agent", body={"presence": "dnd", "message": "back at 1"}, done=lambda item: item.presence == "dnd"
    ),
    "getPresenceByExtensionHistory": Exchange(arguments=NUMBER),
    "getPresenceStream": Exchange(arguments=NUMBER, excerpt=lambda text: as_example_events(text)),
    "postPresenceStreamTicket": Exchange(),
    "getUsersGetPresence": Exchange(arguments=NAME),
    "getUsersPresence": Exchange(),
    "getAudit": Exchange(arguments={"action": "extension.*", "subject": "70001", "count": "1"}),
    "getUserList": Exchange(arguments={"user_type": "agent", "search": "hai", "per_page": "1"}),
    "getUserByUserId": Exchange(arguments={"user_id": "1795"}),
    "postAuth": Exchange(who="nobody", body={"email_or_name": "admin", "password": "demo-admin-password"}),
    "postUserCreate": Exchange(body=NEW_USER),
    "patchUserByUserId": Exchange(arguments={"user_id": "1796"}, body={"first_name": "Grace", "active": True}),
    "deleteUserByUserId": Exchange(arguments={"user_id": "1797"}),
    "getLivez": Exchange(who="nobody"),
    "getReadyz": Exchange(who="nobody"),
    "getMetrics": Exchange(who="nobody", excerpt=lambda text: "\n".join(text.splitlines()[:2])),
    "getStatus": Exchange(who="nobody", arguments={"limit": "1"}),
    "getStatusByExtension": Exchange(who="nobody", arguments=NUMBER),
    "getOpenapiJson": Exchange(who="nobody", excerpt=lambda text: {"openapi": json.loads(text)["openapi"]}),
    "getDocs": Exchange(who="nobody", excerpt=lambda text: text.splitlines()[0]),
    "getHome": Exchange(who="nobody", excerpt=lambda text: text.splitlines()[0]),
    "getFaviconIco": Exchange(who="nobody", excerpt=lambda text: text[:58]),
}
"""In the order in which they are asked: each finds what those before it left."""


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: what is asked here is HTTP."""
    return asterisk_programs.find()


async def test_the_examples_are_what_a_real_service_answers(phoned: Server) -> None:
    found = {name: await exchanged(phoned, name, exchange) for name, exchange in EXCHANGES.items()}
    if WRITE:
        FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, each in found.items():
        assert each == EXAMPLES.get(name) or WRITE, f"{name}: if this is how it shall be, `make examples`"


def test_every_operation_has_an_example() -> None:
    """Those under `/v1` have that of their other self."""
    operations = [each for family in routes.families(with_metrics=True).values() for each in family]
    assert {operation_id(each) for each in operations if not each.path.startswith("/v1/")} == set(EXCHANGES)


async def exchanged(server: Server, name: str, exchange: Exchange) -> dict[str, Json]:
    """The call and its answer, as the file has them."""
    operation = next(
        each for family in routes.families(with_metrics=True).values() for each in family if operation_id(each) == name
    )
    path, query = operation.path, dict(exchange.arguments)
    for argument in re.findall(r"\{(\w+)\}", path):
        path = path.replace(f"{{{argument}}}", query.pop(argument))
    if exchange.prepare is not None:
        await exchange.prepare(server)
    async with server.client.request(
        operation.method, path, params=query, json=exchange.body, headers=await headers_of(server, exchange.who)
    ) as answer:
        assert answer.status == operation.status, f"{name}: {answer.status} {await answer.text()}"
        assert answer.content_type == operation.media_type, name
        if operation.media_type == "text/event-stream":
            text = (b"".join([await answer.content.readline() for _ in range(5)])).decode()
        else:
            text = await answer.text()
    await eventually(lambda: exchange.done(_shown(server)), what=f"{name} is done")
    told = exchange.excerpt(text) if exchange.excerpt else as_example(json.loads(text))
    return {
        **({"arguments": dict(exchange.arguments)} if exchange.arguments else {}),
        **({"body": exchange.body} if exchange.body is not None else {}),
        "answer": told,
    }


def _shown(server: Server) -> Item:
    item = server.app[PRESENCE_FEED].get(NUMBER["extension"])
    assert item is not None
    return item


async def headers_of(server: Server, who: str) -> dict[str, str]:
    """The agent has a token of their own for each call: some end it."""
    if who == "agent":
        return await server.headers_of(1795, AGENT_UID)
    return ADMIN if who == "admin" else {}


def as_example(value: Json, key: str = "") -> Json:
    """JSON with what varies replaced."""
    if key in OF_THE_MOMENT:
        return OF_THE_MOMENT[key]
    if isinstance(value, dict):
        entry: dict[str, Json] = {"id": 4711} if "requestId" in value else {}  # of the audit trail
        if "lastFetchedAt" in value and "." in value["endpoint"]:  # a new phone: Asterisk may report it, or not yet
            entry = {"endpoint": "12342.k3f9xw", **dict.fromkeys(("registered", "reachable")), "live": False}
        return {name: as_example(each, name) for name, each in (value | entry).items()}
    if isinstance(value, list):
        return [as_example(each) for each in value]
    if key == "address" and value is not None and "@" not in value:
        return "192.0.2.44:5060" if ":" in value else "192.0.2.17"  # a phone's, or a client's; not that of an e-mail
    if key == "authToken" and value.startswith(BOARD_PREFIX):
        return BOARD_PREFIX + VARYING[key]
    return VARYING[key] if key in VARYING and value is not None else value


def as_example_events(text: str) -> str:
    """The same for events."""
    lines = []
    for line in text.splitlines():
        name, _, value = line.partition(": ")
        if name == "id":
            lines.append(f"id: {VARYING['cursor']}")
        elif name == "data":
            lines.append(f"data: {json.dumps(as_example(json.loads(value)), separators=(',', ':'))}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
