"""Queues, and whether the call servers can be reached."""

from __future__ import annotations

from tests.integration.conformance.names import QUEUES
from tests.integration.conformance.table import CLIENT, NOT_PERMITTED, Case, ask, each, failed, mismatch, replay
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import Server, Start

CALLS = "/api/v1/voip/queues.getQueuedCallsForThisExtension"
MEMBERSHIP = "/api/v1/voip/queues.getMembershipSubscription"
MANAGEMENT = "/api/v1/voip/managementServer/checkConnection"
CALL_SERVER = "/api/v1/voip/callServer/checkConnection"

NOT_KNOWN = failed("Service unavailable: the queues are not known")
AMI_IS_AWAY = (400, failed("Connection error"))
NOT_NOW = "it is no mistake of the client's, who may try again; CONNECTOR_ROCKETCHAT_ERRORS restores it"
NOT_CONFIGURED = failed("No such call server is configured")
CONNECTS_TO_ANYTHING = (400, failed("…"))
OURS_ONLY = "the original connects to whatever host is named; here it must be one of the settings"
DEMO = {"name": "demo", "loggedin": "0", "available": "0", "callers": "0", "holdtime": "0", "talktime": "0"}
CONNECTED = {"status": "connected", "success": True}

ASTERISK_IS_AWAY = [
    Case(name="summary", path=QUEUES, status=503, answer=NOT_KNOWN, original=AMI_IS_AWAY, differs=NOT_NOW),
    Case(
        name="queued calls",
        path=CALLS,
        query={"extension": "12342"},
        status=503,
        answer=NOT_KNOWN,
        original=AMI_IS_AWAY,
        differs=NOT_NOW,
    ),
    Case(
        name="membership",
        path=MEMBERSHIP,
        query={"extension": "12342"},
        status=503,
        answer=NOT_KNOWN,
        original=AMI_IS_AWAY,
        differs=NOT_NOW,
    ),
    Case(name="no extension", path=CALLS, status=400, answer=mismatch("Missing key 'extension'")),
    Case(
        name="an extension that is a number",
        path=MEMBERSHIP,
        json={"extension": 12342},
        status=400,
        answer=mismatch("Expected string, got number in field extension"),
    ),
    Case(
        name="membership of somebody else's, for whoever has no such permission",
        path=MEMBERSHIP,
        who=CLIENT,
        query={"extension": "12342"},
        status=403,
        answer=NOT_PERMITTED,
    ),
    Case(
        name="an AMI that is not configured",
        path=MANAGEMENT,
        query={"host": "10.0.0.1", "port": "22", "username": "root", "password": "x"},
        status=400,
        answer=NOT_CONFIGURED,
        original=CONNECTS_TO_ANYTHING,
        differs=OURS_ONLY,
    ),
    Case(
        name="another account of the one that is",
        path=MANAGEMENT,
        query={"host": "127.0.0.1", "username": "sync", "password": "x"},
        status=400,
        answer=NOT_CONFIGURED,
        original=(400, mismatch("Missing key 'port'")),
        differs="what is not named is the settings'",
    ),
    Case(
        name="an AMI that is away",
        path=MANAGEMENT,
        status=400,
        answer=...,
        original=(400, mismatch("…")),
        differs="what is not named is the settings'",
    ),
    Case(
        name="a port that is a number",
        path=MANAGEMENT,
        json={"port": 5038},
        status=400,
        answer=mismatch("Expected string, got number in field port"),
    ),
    Case(
        name="a WebSocket that is not configured",
        path=CALL_SERVER,
        query={"websocketUrl": "ws://169.254.169.254/latest/meta-data"},
        status=400,
        answer=NOT_CONFIGURED,
        original=CONNECTS_TO_ANYTHING,
        differs=OURS_ONLY,
    ),
    Case(
        name="a host that is not configured",
        path=CALL_SERVER,
        query={"host": "intranet", "port": "443", "path": "/ws"},
        status=400,
        answer=NOT_CONFIGURED,
        original=CONNECTS_TO_ANYTHING,
        differs=OURS_ONLY,
    ),
]
ASTERISK_IS_THERE = [
    Case(name="summary", path=QUEUES, answer={"summary": [DEMO], "success": True}),
    Case(
        name="queued calls",
        path=CALLS,
        query={"extension": "12342"},
        answer={"queueCount": 1, "callWaitingCount": 0, "extension": "12342", "success": True},
    ),
    Case(
        name="queued calls of the end of an extension",
        path=CALLS,
        query={"extension": "342"},
        answer={"queueCount": 0, "callWaitingCount": 0, "extension": "342", "success": True},
        original=(200, {"queueCount": 1, "callWaitingCount": 0, "extension": "342", "success": True}),
        differs="the original compares ends of names, and takes 342 for 12342",
    ),
    Case(
        name="membership, asked for in a body",
        path=MEMBERSHIP,
        who="dnhai",
        json={"extension": "12342"},
        answer={"queues": [DEMO], "extension": "12342", "success": True},
    ),
    Case(
        name="membership of nobody's extension",
        path=MEMBERSHIP,
        query={"extension": "nobody"},
        answer={"queues": [], "extension": "nobody", "success": True},
    ),
    Case(
        name="the configured AMI",
        path=MANAGEMENT,
        answer=CONNECTED,
        original=(400, mismatch("Missing key 'host'")),
        differs="what is not named is the settings', so that no password needs to travel in a URL",
    ),
    Case(
        name="the AMI with a wrong password",
        path=MANAGEMENT,
        query={"host": "127.0.0.1", "username": "monitor", "password": "wrong"},
        status=400,
        answer=failed("AMI refuses the account 'monitor': Authentication failed"),
        original=(400, mismatch("Missing key 'port'")),
        differs="what is not named is the settings'",
    ),
    Case(
        name="a password that would be another action",
        path=MANAGEMENT,
        query={"password": "x\r\nAction: Logoff"},
        status=400,
        answer=failed("CR, LF or NUL in the AMI header 'Secret'"),
        original=(400, mismatch("Missing key 'host'")),
        differs="what is not named is the settings'",
    ),
    Case(
        name="the configured WebSocket",
        path=CALL_SERVER,
        answer=CONNECTED,
        original=(400, failed("Incorrect / Insufficient Parameters")),
        differs="what is not named is the settings'",
    ),
    Case(
        name="the WebSocket by its parts",
        path=CALL_SERVER,
        query={"host": "127.0.0.1", "path": "ws"},
        answer=CONNECTED,
        original=(400, failed("Incorrect / Insufficient Parameters")),
        differs="what is not named is the settings'",
    ),
]


@each(ASTERISK_IS_AWAY)
async def test_without_asterisk(shared: Server, case: Case) -> None:
    await ask(shared, case)


async def test_with_asterisk(pbx: Pbx, start: Start) -> None:
    port = pbx.asterisk.config.http_port
    server = await start(pbx.settings(host="127.0.0.1", websocket_port=port, websocket_scheme="ws"))
    await eventually(lambda: server.link.queues)
    await replay(server, ASTERISK_IS_THERE)
    url = {"websocketUrl": f"ws://127.0.0.1:{port}/ws"}
    await ask(server, Case(name="the WebSocket by its URL", path=CALL_SERVER, query=url, answer=CONNECTED))
    config = pbx.asterisk.config
    given = {"host": "127.0.0.1", "port": str(config.ami_port), "username": "monitor"}
    named = Case(
        name="the AMI with all of it",
        path=MANAGEMENT,
        query={**given, "password": config.monitor_secret},
        answer=CONNECTED,
    )
    await ask(server, named)


async def test_a_web_server_that_is_no_websocket(pbx: Pbx, start: Start) -> None:
    server = await start(
        pbx.settings(host="127.0.0.1", websocket_port=pbx.asterisk.config.ami_port, websocket_scheme="ws")
    )
    await ask(server, Case(name="AMI is no WebSocket", path=CALL_SERVER, status=400))
