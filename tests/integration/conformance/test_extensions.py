"""The extensions that there are: version, list, details, and who has which."""

from __future__ import annotations

from service import __version__
from tests.integration.conformance.names import (
    AGENT,
    BY_EXTENSION,
    DETAILS,
    EXTENSIONS,
    NO_ALTERNATIVE,
    NO_EXTENSION,
    NO_USER,
    NUMBERS,
    SECRET,
    listed,
    page,
)
from tests.integration.conformance.table import PEOPLE, Case, ask, each, failed, mismatch
from tests.integration.conformance.test_registration import INFO
from tests.support.server import AGENT_UID, Server

VERSION = "/api/v1/connector.getVersion"
LIST = "/api/v1/connector.extension.list"

AMI_IS_AWAY = (400, failed("Connection error"))
STATE_FROM_MEMORY = "without Asterisk there is no state, but all the rest is known; the state is `Unknown`, marked"


def of(uid: str, username: str, name: str, number: str) -> dict[str, object]:
    return {"userId": uid, "username": username, "name": name, "queues": [], **listed(number)}


FIRST = of(AGENT_UID, "dnhai", "string", "12342")
SECOND = of(PEOPLE["agent2"][1], "agent2", "Bea", "12343")

ASKED = [
    Case(name="version", path=VERSION, answer=f"Asterisk Connector {__version__}"),
    Case(
        name="list",
        path=LIST,
        answer={"extensions": [listed("12342"), listed("12343")], "success": True},
        original=AMI_IS_AWAY,
        differs=STATE_FROM_MEMORY,
    ),
    Case(
        name="details",
        path=DETAILS,
        query={"extension": "12342"},
        answer={
            "extension": "12342",
            "state": "Unknown",
            "password": SECRET,
            "authtype": "password",
            "success": True,
        },
        original=AMI_IS_AWAY,
        differs=STATE_FROM_MEMORY,
    ),
    Case(name="details, asked for in a body", path=DETAILS, json={"extension": "12342"}),
    Case(
        name="details of what there is not",
        path=DETAILS,
        query={"extension": "nothing"},
        status=404,
        answer=NO_EXTENSION,
        original=(400, ...),
        differs="Rocket.Chat passed on what Asterisk said; what is not there is a 404",
    ),
    Case(name="details of nothing", path=DETAILS, status=400, answer=mismatch("Missing key 'extension'")),
    Case(
        name="details of an empty number",
        path=DETAILS,
        query={"extension": ""},
        status=400,
        answer=mismatch("Expected non-empty string in field extension"),
        original=(400, ...),
        differs="Rocket.Chat passed on what Asterisk said",
    ),
    Case(
        name="details of a number that is a number",
        path=DETAILS,
        json={"extension": 12342},
        status=400,
        answer=mismatch("Expected string, got number in field extension"),
    ),
    Case(
        name="registration info by extension",
        path=BY_EXTENSION,
        query={"extension": "12342"},
        answer=INFO,
        original=(200, {**INFO, "success": True}),
        differs="as by user id: CONNECTOR_ROCKETCHAT_SUCCESS adds `success`",
    ),
    Case(
        name="registration info of an extension that there is not",
        path=BY_EXTENSION,
        query={"extension": "1"},
        status=404,
        answer=NO_EXTENSION,
        original=(400, ...),
        differs="Rocket.Chat passed on what Asterisk said; what is not there is a 404",
    ),
    Case(
        name="registration info by no extension",
        path=BY_EXTENSION,
        status=400,
        answer=mismatch("Missing key 'extension'"),
    ),
    Case(
        name="extensions with their people",
        path=EXTENSIONS,
        answer=page([FIRST, SECOND]),
        original=AMI_IS_AWAY,
        differs=STATE_FROM_MEMORY,
    ),
    Case(name="the first page", path=EXTENSIONS, query={"count": "1"}, answer=page([FIRST], count=1, total=2)),
    Case(
        name="the second page",
        path=EXTENSIONS,
        query={"count": "1", "offset": "1"},
        answer=page([SECOND], offset=1, count=1, total=2),
    ),
    Case(name="a page beyond the end", path=EXTENSIONS, query={"offset": "9"}, answer=page([], offset=9, total=2)),
    Case(
        name="all that are left",
        path=EXTENSIONS,
        query={"count": "0", "offset": "1"},
        answer=page([SECOND], offset=1, count=0, total=2),
        original=(200, page([], offset=1, count=0, total=2)),
        differs="0 means all wherever Rocket.Chat asked its own database; here it cut an empty slice",
    ),
    Case(
        name="more than there may be", path=EXTENSIONS, query={"count": "101"}, answer=page([FIRST, SECOND], count=100)
    ),
    Case(
        name="far beyond the end",
        path=EXTENSIONS,
        query={"offset": "9" * 40, "count": "9" * 40},
        answer=page([], offset=2**53 - 1, count=100, total=2),
        original=(200, page([], offset=..., count=100, total=2)),
        differs="a JSON number that its readers have exactly",
    ),
    *(
        Case(
            name=f"a {key} of {text!r}",
            path=EXTENSIONS,
            query={key: text},
            status=400,
            answer=mismatch(f"Expected a whole number of 0 or more in field {key}"),
            original=(200, ...),
            differs="JavaScript made NaN, a part of it, or a slice from the end of it",
        )
        for key in ("offset", "count")
        for text in ("-1", "NaN", "ten", "1.5")
    ),
    Case(name="extensions in a state", path=EXTENSIONS, query={"status": "Unknown"}, answer=page([FIRST, SECOND])),
    Case(name="extensions in another state", path=EXTENSIONS, query={"status": "Not in use"}, answer=page([])),
    Case(name="an agent's extension among them", path=EXTENSIONS, query={"agentId": AGENT_UID}, answer=page([FIRST])),
    Case(name="an unknown agent's extension", path=EXTENSIONS, query={"agentId": "nobody"}, answer=page([])),
    Case(name="one extension among them", path=EXTENSIONS, query={"extension": "12343"}, answer=page([SECOND])),
    Case(
        name="filters that are empty",
        path=EXTENSIONS,
        query={"extension": "", "agentId": " ", "status": ""},
        answer=page([FIRST, SECOND]),
    ),
    Case(
        name="filters that exclude each other",
        path=EXTENSIONS,
        query={"extension": "12343", "agentId": AGENT_UID},
        answer=page([]),
    ),
    Case(
        name="members of queues that nobody knows now",
        path=EXTENSIONS,
        query=[("queues[]", "demo"), ("queues[]", "none")],
        status=503,
        answer=failed("Service unavailable: the queues are not known"),
        original=AMI_IS_AWAY,
        differs="a 503 may be tried again; CONNECTOR_ROCKETCHAT_ERRORS restores it",
    ),
    Case(
        name="a filter given twice",
        path=EXTENSIONS,
        query=[("extension", "1"), ("extension", "2")],
        status=400,
        answer=mismatch("Key 'extension' is given more than once"),
        original=(400, mismatch("Expected string, got object in field extension")),
        differs="in words of this service",
    ),
    Case(
        name="free numbers",
        path=NUMBERS,
        query={"type": "free", "userId": ""},
        answer={"extensions": [], "success": True},
    ),
    Case(
        name="allocated numbers",
        path=NUMBERS,
        query={"type": "allocated", "username": "dnhai"},
        answer={"extensions": ["12342", "12343"], "success": True},
    ),
    Case(
        name="numbers available to somebody by name",
        path=NUMBERS,
        query={"type": "available", "username": "dnhai"},
        answer={"extensions": ["12342"], "success": True},
    ),
    Case(
        name="numbers available to somebody by id",
        path=NUMBERS,
        query={"type": "available", "userId": AGENT_UID},
        answer={"extensions": ["12342"], "success": True},
    ),
    Case(
        name="numbers available to nobody",
        path=NUMBERS,
        query={"type": "available", "userId": "nobody"},
        answer={"extensions": [], "success": True},
    ),
    *(
        Case(
            name=f"numbers of {query}",
            path=NUMBERS,
            query=query,
            status=400,
            answer=mismatch(told),
            original=(400, mismatch(NO_ALTERNATIVE)),
            differs="it tells what is wrong",
        )
        for query, told in (
            ({"type": "free"}, "Missing key 'userId' or 'username'"),
            ({"type": "none", "userId": "x"}, "Expected one of free, allocated, available in field type"),
            ({"type": "Free", "userId": "x"}, "Expected one of free, allocated, available in field type"),
        )
    ),
    Case(
        name="numbers of no type",
        path=NUMBERS,
        query={"userId": AGENT_UID},
        status=400,
        answer=mismatch("Missing key 'type'"),
        original=(400, mismatch(NO_ALTERNATIVE)),
        differs="it tells what is missing",
    ),
    Case(
        name="somebody's extension, for an agent",
        path=f"{AGENT}/DNHAI",
        who="agent2",
        answer={"extension": {"_id": AGENT_UID, "username": "dnhai", "extension": "12342"}, "success": True},
        original=(404, NO_USER),
        differs="names are the same whatever their case",
    ),
    Case(name="nobody's extension", path=f"{AGENT}/nobody", status=404, answer=NO_USER),
    Case(name="the extension of somebody who has none", path=f"{AGENT}/admin", status=404, answer=NO_EXTENSION),
]


@each(ASKED)
async def test_as_the_original_answers(shared: Server, case: Case) -> None:
    await ask(shared, case)
