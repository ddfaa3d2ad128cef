"""Where this service differs on purpose, settings restore what Rocket.Chat answered."""

from __future__ import annotations

from tests.integration.conformance.names import AGENT, BY_EXTENSION, DETAILS, EXTENSIONS, QUEUES, SECRET
from tests.integration.conformance.table import Case, failed, replay
from tests.integration.conformance.test_registration import INFO
from tests.support.database import TestDatabase
from tests.support.server import Start

AS_ROCKETCHAT = [
    Case(
        name="taken from somebody who has none",
        method="DELETE",
        path=f"{AGENT}/admin",
        answer={"success": True},
    ),
    Case(
        name="a dead Asterisk",
        method="PUT",
        path="/api/v1/presence",
        who="dnhai",
        json={"presence": "dnd"},
        status=400,
        answer=failed("Connection error"),
    ),
    Case(name="queues of a dead Asterisk", path=QUEUES, status=400, answer=failed("Connection error")),
    Case(
        name="members of queues that nobody knows now",
        path=EXTENSIONS,
        query={"queues[]": "demo"},
        status=400,
        answer=failed("Connection error"),
    ),
    Case(
        name="a state",
        path=DETAILS,
        query={"extension": "12342"},
        answer={"extension": "12342", "state": "unknown", "password": SECRET, "authtype": "password", "success": True},
    ),
    Case(name="filtered by it", path=EXTENSIONS, query={"status": "unknown", "count": "1"}),
    Case(
        name="registration info",
        path=BY_EXTENSION,
        query={"extension": "12342"},
        answer={**INFO, "extensionDetails": {**INFO["extensionDetails"], "state": "unknown"}, "success": True},  # type: ignore[dict-item]
    ),
]


async def test_the_settings_restore_the_original(database: TestDatabase, start: Start) -> None:
    settings = database.settings(rocketchat_states=True, rocketchat_errors=True, rocketchat_success=True)
    await replay(await start(settings), AS_ROCKETCHAT)
