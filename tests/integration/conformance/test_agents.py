"""Extensions given to people and taken from them, and who could be given one."""

from __future__ import annotations

from tests.integration.conformance.names import (
    AGENT,
    AVAILABLE,
    EXTENSIONS,
    NO_ALTERNATIVE,
    NO_EXTENSION,
    NO_USER,
    NUMBERS,
    listed,
    page,
)
from tests.integration.conformance.table import NO_ENDPOINT, PEOPLE, Case, ask, each, failed, mismatch, replay
from tests.support.server import ADMIN_UID, AGENT_UID, Server

AVAILABLE_ASKED = [
    Case(
        name="agents who have none",
        path=AVAILABLE,
        answer={"agents": [], "offset": 0, "count": 50, "total": 0, "success": True},
    ),
    Case(
        name="agents who have none, and whoever has this one",
        path=AVAILABLE,
        query={"includeExtension": "12343", "text": "BE", "sort": '{ "username": 1 }'},
        answer={
            "agents": [
                {
                    "_id": PEOPLE["agent2"][1],
                    "username": "agent2",
                    "name": "Bea",
                    "active": True,
                    "roles": ["agent"],
                    "extension": "12343",
                }
            ],
            "offset": 0,
            "count": 50,
            "total": 1,
            "success": True,
        },
        original=(200, ...),
        differs="Rocket.Chat answered all that it had of a person, password hashes too",
    ),
    *(
        Case(
            name=f"agents in the order {sort}",
            path=AVAILABLE,
            query={"sort": sort},
            status=400,
            answer={
                "success": False,
                "error": f'Invalid sort parameter provided: "{sort}" [error-invalid-params]',
                "errorType": "error-invalid-params",
            },
        )
        for sort in ("{", "username", "[]", "NaN")
    ),
    *(
        Case(
            name=f"agents in the strange order {sort}",
            path=AVAILABLE,
            query={"sort": sort},
            status=400,
            original=(200, ...),
            differs="MongoDB sorts by what there is not, or gives up; here it is refused",
        )
        for sort in ('{"passwd":1}', '{"username":true}', '{"username":0}', '{"username":"1; drop table users"}')
    ),
]


@each(AVAILABLE_ASKED)
async def test_as_the_original_answers(shared: Server, case: Case) -> None:
    await ask(shared, case)


FREE = {"extension": {"_id": AGENT_UID, "username": "dnhai", "extension": "12342"}, "success": True}
WRITTEN = [
    Case(
        name="taken",
        method="DELETE",
        path=f"{AGENT}/dnhai",
        answer=FREE,
        original=(200, {"success": True}),
        differs="it tells what was taken",
    ),
    Case(
        name="free now",
        path=NUMBERS,
        query={"type": "free", "userId": ""},
        answer={"extensions": ["12342"], "success": True},
    ),
    Case(name="nobody has it", path=f"{AGENT}/dnhai", status=404, answer=NO_EXTENSION),
    Case(
        name="taken again",
        method="DELETE",
        path=f"{AGENT}/dnhai",
        status=404,
        answer=NO_EXTENSION,
        original=(200, {"success": True}),
        differs="there was nothing to take; CONNECTOR_ROCKETCHAT_ERRORS restores it",
    ),
    Case(
        name="taken from nobody",
        method="DELETE",
        path=f"{AGENT}/nobody",
        status=404,
        answer=NO_USER,
        original=(404, failed("Resource not found")),
        differs="it tells what was not found",
    ),
    Case(
        name="in the list of nobody",
        path=EXTENSIONS,
        query={"extension": "12342"},
        answer=page([{"queues": [], **listed("12342")}]),
    ),
    Case(
        name="given by id",
        method="POST",
        path=AGENT,
        json={"userId": ADMIN_UID, "extension": "12342"},
        answer={"success": True},
    ),
    Case(
        name="given again to the same",
        method="POST",
        path=AGENT,
        json={"username": "ADMIN", "extension": "12342"},
        answer={"success": True},
    ),
    Case(
        name="given to another",
        method="POST",
        path=AGENT,
        json={"username": "dnhai", "extension": "12342"},
        status=400,
        answer=failed("extension already in use 12342"),
    ),
    Case(
        name="one that there is not",
        method="POST",
        path=AGENT,
        json={"username": "dnhai", "extension": "none"},
        status=404,
        answer=NO_EXTENSION,
        original=(200, {"success": True}),
        differs="Rocket.Chat did not look; it could never have registered",
    ),
    Case(
        name="given to nobody",
        method="POST",
        path=AGENT,
        json={"username": "nobody", "extension": "12342"},
        status=404,
        answer=NO_USER,
        original=(404, failed("User not found or does not have livechat-agent role")),
        differs="here anybody may have a phone",
    ),
    Case(
        name="given to somebody who has another",
        method="POST",
        path=AGENT,
        json={"username": "dnhai", "extension": "12343"},
        status=400,
        answer=failed("extension already in use 12343"),
    ),
    Case(name="taken from one", method="DELETE", path=f"{AGENT}/agent2"),
    Case(name="instead of the one before", method="POST", path=AGENT, json={"userId": ADMIN_UID, "extension": "12343"}),
    Case(
        name="the one before is free",
        path=NUMBERS,
        query={"type": "available", "username": "admin"},
        answer={"extensions": ["12343", "12342"], "success": True},
    ),
    Case(
        name="agents who have none now",
        path=AVAILABLE,
        query={"sort": '{"name":-1}'},
        answer={
            "agents": [
                {"_id": AGENT_UID, "username": "dnhai", "name": "string", "active": True, "roles": ["agent"]},
                {"_id": ..., "username": "agent2", "name": "Bea", "active": True, "roles": ["agent"]},
            ],
            "offset": 0,
            "count": 50,
            "total": 2,
            "success": True,
        },
    ),
    *(
        Case(
            name=f"given {given}",
            method="POST",
            path=AGENT,
            json=given,
            status=400,
            answer=mismatch(f"Missing key {missing}"),
            original=(400, mismatch(NO_ALTERNATIVE)),
            differs="it tells what is missing",
        )
        for given, missing in (
            ({}, "'extension'"),
            ({"extension": "12342"}, "'userId' or 'username'"),
            ({"extension": "12342", "username": ""}, "'userId' or 'username'"),
            ({"username": "dnhai"}, "'extension'"),
            ({"userId": ADMIN_UID}, "'extension'"),
        )
    ),
    Case(
        name="given by number",
        method="POST",
        path=AGENT,
        json={"username": "dnhai", "extension": 12342},
        status=400,
        answer=mismatch("Expected string, got number in field extension"),
        original=(400, mismatch(NO_ALTERNATIVE)),
        differs="it tells what is wrong",
    ),
    Case(
        name="given to what cannot be stored",
        method="POST",
        path=AGENT,
        json={"username": "a\0", "extension": "1"},
        status=404,
        answer=NO_USER,
    ),
    Case(
        name="what cannot be stored, given",
        method="POST",
        path=AGENT,
        json={"username": "dnhai", "extension": "\ud800"},
        status=404,
        answer=NO_EXTENSION,
    ),
    Case(name="taken from what cannot be a name", method="DELETE", path=f"{AGENT}/%00", status=404, answer=NO_USER),
    Case(name="another method", method="PUT", path=AGENT, status=405, answer=NO_ENDPOINT),
]


async def test_extensions_change_hands(server: Server) -> None:
    await replay(server, WRITTEN)
