"""How long the loop is held when everything changes at once: the directory, or all that one Asterisk told.

The longest turn counts, whatever it did: reading and composing, and the polls of everything that come right after.
"""

from __future__ import annotations

import time
import urllib.request

from local.demo_data import ADMIN_TOKEN, ADMIN_UID
from tests.bench.report import Row
from tests.bench.rig.processes import wait_until_answers, wait_until_quiet
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import Stage, stage

PEOPLE, ROUNDS = 20_000, 5
TITLE = f"The longest turn of the loop, {PEOPLE:,} people"
GOAL = "<= 20 ms"
SETTLED = 60.0
EVERYTHING = ("/api/v1/presence", "/api/v1/users.presence", "/api/v1/users.presence?from=2020-01-01T00:00:00Z")
REREAD = "select pg_notify('connector_changes', 'user *')"
CHANGES = {
    "everything is read again": REREAD,
    "all extensions change": "update extensions set secret = 'secret-' || random()",
    "all people change": "update users set fullname = 'Name ' || random()",
    "all extensions are nobody's": "update extensions set user_id = null",
    "all extensions are somebody's again": "update extensions set user_id = extension::bigint",
    "half of all extensions go": "delete from extensions where extension::bigint % 2 = 0",
    "they are back": (
        "insert into extensions (extension, secret, call_server, user_id) select user_id, 's', 'main', user_id "
        "from users where name like 'bench%' and user_id % 2 = 0"
    ),
}


def run(rig: Rig) -> list[Row]:
    """One service, watched from within, beside a scripted Asterisk."""
    with stage(rig, PEOPLE, watched=True, CONNECTOR_REQUESTS_PER_MINUTE="1000000") as on:
        held: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for what, statement in CHANGES.items():
                on.held()
                rig.postgres.sql(statement, on.database)
                ask_for_everything(on)
                held.setdefault(what, []).append(_settled(on))
            held.setdefault("the line to Asterisk is cut, and back", []).append(_cut(on))
            held.setdefault("presence of all is polled, at rest", []).append(_polled(on))
            held.setdefault("metrics are scraped, at rest", []).append(_scraped(on))
    return [Row(what, [seconds * 1000 for seconds in taken], "ms", GOAL) for what, taken in held.items()]


def _cut(on: Stage) -> float:
    on.held()
    on.peer.cut()
    wait_until_answers(f"{on.service.url}/readyz", '"degraded"')
    ask_for_everything(on)
    wait_until_answers(f"{on.service.url}/readyz", '"ready"')
    return _settled(on)


def _polled(on: Stage) -> float:
    on.held()
    for _ in range(3):
        ask_for_everything(on)
    return _settled(on)


def _scraped(on: Stage) -> float:
    on.held()
    for _ in range(3):
        with urllib.request.urlopen(f"{on.service.url}/metrics", timeout=SETTLED) as answer:  # noqa: S310 - our own server
            answer.read()
    return on.held()


def _settled(on: Stage) -> float:
    """What was held at most until the service is at rest, polls of everything at its end included."""
    time.sleep(0.2)
    wait_until_quiet(on.service.pid, within=SETTLED)
    ask_for_everything(on)
    return on.held()


def ask_for_everything(on: Stage) -> None:
    """Poll the presence of all, in each of its forms."""
    for path in EVERYTHING:
        headers = {"X-Auth-Token": ADMIN_TOKEN, "X-User-Id": ADMIN_UID}
        request = urllib.request.Request(on.service.url + path, headers=headers)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=SETTLED) as answer:  # noqa: S310 - our own server
            answer.read()
