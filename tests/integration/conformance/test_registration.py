"""Registration info and who one is: login, logout, me. The finer points have tests of their own."""

from __future__ import annotations

from tests.integration.conformance.table import (
    CLIENT,
    NO_ENDPOINT,
    NOBODY,
    NOT_LOGGED_IN,
    NOT_PERMITTED,
    PEOPLE,
    UNAUTHORIZED,
    Case,
    ask,
    each,
    failed,
    mismatch,
)
from tests.support.server import ADMIN_UID, AGENT_UID, REGISTRATION, Server

INFO = {
    "host": "pbx.example.com",
    "callServerConfig": {"websocketPort": "443", "websocketPath": "wss://pbx.example.com/ws"},
    "extensionDetails": {
        "extension": "12342",
        "password": "my$up3erP@ssw0rd",
        "authtype": "password",
        "state": "Unknown",
    },
}
ME = {
    "_id": AGENT_UID,
    "name": "string",
    "username": "dnhai",
    "emails": [{"address": "dnhai@example.com", "verified": True}],
    "active": True,
    "roles": ["agent"],
    "extension": "12342",
}
TABLE = [
    Case(
        name="one's own registration info",
        path=REGISTRATION,
        who="dnhai",
        query={"id": AGENT_UID},
        answer=INFO,
        original=(200, {**INFO, "success": True}),
        differs="the seed's page has no `success`; CONNECTOR_ROCKETCHAT_SUCCESS adds it",
    ),
    Case(
        name="somebody else's registration info, for an admin",
        path=REGISTRATION,
        query={"id": AGENT_UID},
        answer=INFO,
        original=(403, UNAUTHORIZED),
        differs="the seed's page shows an admin asking for an agent's",
    ),
    Case(
        name="one's own registration info, for a role that may not see who has which extension",
        path=REGISTRATION,
        who=CLIENT,
        query={"id": PEOPLE[CLIENT][1]},
        status=404,
        answer=failed("Extension not found"),
        original=(403, NOT_PERMITTED),
        differs="whoever has a phone may know how to register it",
    ),
    Case(
        name="somebody else's registration info",
        path=REGISTRATION,
        who="dnhai",
        query={"id": ADMIN_UID},
        status=403,
        answer=UNAUTHORIZED,
    ),
    Case(
        name="registration info of somebody without an extension",
        path=REGISTRATION,
        query={"id": ADMIN_UID},
        status=404,
        answer=failed("Extension not found"),
    ),
    Case(name="no id", path=REGISTRATION, status=400, answer=mismatch("Missing key 'id'")),
    Case(
        name="an id that is a number",
        path=REGISTRATION,
        json={"id": 1},
        status=400,
        answer=mismatch("Expected string, got number in field id"),
    ),
    Case(name="registration info for nobody", path=REGISTRATION, who=NOBODY, status=401, answer=NOT_LOGGED_IN),
    Case(
        name="a token with another's id",
        path="/api/v1/me",
        who="dnhai",
        headers={"X-User-Id": ADMIN_UID},
        status=401,
        answer=NOT_LOGGED_IN,
    ),
    Case(name="registration info by POST", method="POST", path=REGISTRATION, status=405, answer=NO_ENDPOINT),
    Case(
        name="login",
        method="POST",
        path="/api/v1/login",
        who=NOBODY,
        json={"user": "dnhai", "password": "demo-agent-password"},
        answer={"status": "success", "data": {"userId": AGENT_UID, "authToken": ..., "me": ME}},
    ),
    Case(
        name="login with a wrong password",
        method="POST",
        path="/api/v1/login",
        who=NOBODY,
        json={"user": "dnhai", "password": "wrong"},
        status=401,
        answer={"status": "error", "error": "Unauthorized", "message": "Unauthorized"},
    ),
    Case(
        name="logout",
        method="POST",
        path="/api/v1/logout",
        who="dnhai",
        answer={"status": "success", "data": {"message": "You've been logged out!"}},
    ),
    Case(name="logout of nobody", method="POST", path="/api/v1/logout", who=NOBODY, status=401, answer=NOT_LOGGED_IN),
    Case(name="me", path="/api/v1/me", who="dnhai", answer={**ME, "success": True}),
    Case(name="me without an extension", path="/api/v1/me", answer=...),
    Case(
        name="a call that there is not",
        path="/api/v1/nothing",
        status=404,
        answer=failed("Resource not found"),
    ),
]


@each(TABLE)
async def test_as_the_original_answers(shared: Server, case: Case) -> None:
    await ask(shared, case)
