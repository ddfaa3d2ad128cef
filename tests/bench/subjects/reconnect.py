"""What a reconnect costs Asterisk: how much it is asked, and the CPU time that this takes."""

from __future__ import annotations

import time

from tests.bench.report import Row
from tests.bench.rig.counting_proxy import CountingProxy, counted
from tests.bench.rig.processes import cpu_seconds, wait_until_quiet
from tests.bench.rig.servers import Rig

SIZES = ((2_000, 200), (20_000, 200), (20_000, 1_000))
"""Extensions, and how many of them have a phone that is registered."""
TITLE = "After a reconnect, until the link asks no more"
ROUNDS = 2
QUALIFIED = 15.0
"""Seconds in which Asterisk qualifies each phone once by itself: what it takes at rest."""
AT_REST = 6.0
"""Seconds without an action after which none will come: more than the tracker waits for a qualify."""
STARTED = 300.0


def run(rig: Rig) -> list[Row]:
    """The line is cut while Asterisk runs on; a proxy counts what it is asked on the next one."""
    rows: list[Row] = []
    for extensions, phones in SIZES:
        rig.populate(extensions)
        with (
            rig.phones(phones),
            counted(rig.asterisk.config.ami_port) as line,
            rig.another(CONNECTOR_CALL_SERVERS__MAIN__AMI_PORT=str(line.port)) as service,
        ):
            _wait_until_it_rests(line)
            wait_until_quiet(service.pid, rig.asterisk_pid, within=STARTED)
            rows += _measured(rig, line, f"{extensions:,} extensions, {phones:,} registered")
    return rows


def _measured(rig: Rig, line: CountingProxy, what: str) -> list[Row]:
    actions, took, asterisk, postgres = [], [], [], []
    for _ in range(ROUNDS):
        began = _cpu(rig)
        time.sleep(QUALIFIED)
        at_rest = [(now - before) / QUALIFIED for now, before in zip(_cpu(rig), began, strict=True)]
        began, since = _cpu(rig), time.monotonic()
        line.cut()
        asked = _wait_until_it_rests(line)
        passed = time.monotonic() - since
        spent = [now - before - rest * passed for now, before, rest in zip(_cpu(rig), began, at_rest, strict=True)]
        actions.append(float(asked))
        took.append(passed - AT_REST)
        asterisk.append(max(0.0, spent[0]) * 1000)
        postgres.append(max(0.0, spent[1]) * 1000)
    return [
        Row(f"{what}: AMI actions", actions),
        Row(f"{what}: asked for", took, "s"),
        Row(f"{what}: Asterisk's CPU", asterisk, "ms"),
        Row(f"{what}: PostgreSQL's CPU", postgres, "ms"),
    ]


def _cpu(rig: Rig) -> tuple[float, float]:
    return cpu_seconds(rig.asterisk_pid), cpu_seconds(rig.postgres_pid)


def _wait_until_it_rests(line: CountingProxy) -> int:
    """How much was asked, once nothing is asked any more."""
    asked, since = -1, time.monotonic()
    while time.monotonic() - since < AT_REST:
        actions = line.actions()
        now = actions.total() - actions["QueueStatus"]  # which is asked for every second, until a queue is heard of
        if now != asked:
            asked, since = now, time.monotonic()
        time.sleep(0.1)
    return asked
