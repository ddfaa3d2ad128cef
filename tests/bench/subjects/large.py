"""A hundred thousand people: how long the start takes, and how long the loop is held when everything changes at once.

Beside a scripted Asterisk: a real one takes minutes to load as many endpoints.
"""

from __future__ import annotations

import time

from tests.bench.report import Row
from tests.bench.rig import people
from tests.bench.rig.processes import cpu_seconds, wait_until_answers, wait_until_quiet
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import Stage, stage
from tests.bench.subjects.loop_turns import REREAD, SETTLED, ask_for_everything

PEOPLE, ROUNDS = 100_000, 5
TITLE = f"{PEOPLE:,} people: the start, and the longest turn of the loop"
GOAL = "<= 20 ms"


def run(rig: Rig) -> list[Row]:
    """The start several times, then one service that is watched from within."""
    database = rig.database(f"stage_{PEOPLE}", PEOPLE)
    took, cpu = [], []
    for _ in range(ROUNDS):
        with ScriptedAsterisk(f"PJSIP/{number}" for number in people.numbers(PEOPLE)) as peer:
            port = str(peer.port)
            began = time.monotonic()
            with rig.another(CONNECTOR_DATABASE_URL=database, CONNECTOR_CALL_SERVERS__MAIN__AMI_PORT=port) as service:
                took.append(time.monotonic() - began)
                cpu.append(cpu_seconds(service.pid))
    return [
        Row("start to ready", took, "s", "<= 5 s"),
        Row("CPU until then", cpu, "s"),
        *_turns(rig),
    ]


def _turns(rig: Rig) -> list[Row]:
    """Alone, and with three polls of everything at once right after: their answers are of 20 MB each."""
    reread, cut, polled = [], [], []
    with stage(rig, PEOPLE, watched=True) as on:
        for _ in range(ROUNDS):
            on.held()
            rig.postgres.sql(REREAD, on.database)
            reread.append(_held(on))
            on.peer.cut()
            wait_until_answers(f"{on.service.url}/readyz", '"degraded"')
            wait_until_answers(f"{on.service.url}/readyz", '"ready"')
            cut.append(_held(on))
            ask_for_everything(on)
            polled.append(_held(on))
    rows = (
        ("loop held at most: everything is read again", reread, GOAL),
        ("loop held at most: the line to Asterisk is cut, and back", cut, GOAL),
        ("loop held at most: everything is polled after that", polled, ""),
    )
    return [Row(what, [seconds * 1000 for seconds in taken], "ms", goal) for what, taken, goal in rows]


def _held(on: Stage) -> float:
    """What was held at most, once the service is at rest."""
    time.sleep(0.2)
    wait_until_quiet(on.service.pid, within=SETTLED)
    return on.held()
