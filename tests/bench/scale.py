"""What a poll costs with very many extensions, what polls cost the others, and the memory that an extension takes."""

from __future__ import annotations

import time

from tests.bench import people
from tests.bench.processes import memory_bytes
from tests.bench.report import Row, ratio
from tests.bench.rig import Rig
from tests.bench.stage import Stage, stage
from tests.bench.statements import statements
from tests.bench.targets import Target, measure
from tests.bench.wrk import run as load

FEW, MANY = 100, 100_000
TITLE = f"Registration polls of {MANY:,} people beside {FEW}: 64 connections, keep-alive"
SECONDS = 10
UNLIMITED = "1000000"
"""Requests per token and minute: a hundred people are asked as often as a hundred thousand."""


def run(rig: Rig) -> list[Row]:
    """Both at the same time, each beside a scripted Asterisk."""
    with (
        stage(rig, FEW, CONNECTOR_REQUESTS_PER_MINUTE=UNLIMITED) as few,
        stage(rig, MANY, CONNECTOR_REQUESTS_PER_MINUTE=UNLIMITED) as many,
    ):
        memory = (memory_bytes(many.service.pid) - memory_bytes(few.service.pid)) / (MANY - FEW)
        small, large, hot = (
            Target(name, on.service.url, on.service.pid, rig.asked(name, people.polls(count)))
            for name, on, count in (
                (f"{FEW} people", few, FEW),
                (f"{MANY:,} people, all in turn", many, MANY),
                (f"{MANY:,} people, {FEW} of them", many, FEW),
            )
        )
        targets = (small, large, hot)
        measure(targets, rig.postgres_pid)
        asked = _asked_of_others(rig, many, large)
    return [
        *(target.cpu_row() for target in targets),
        ratio("all in turn / few, CPU", large.cpu_row(), small.cpu_row(), "<= 1.05"),
        ratio("the same few of many / few, CPU", hot.cpu_row(), small.cpu_row(), "<= 1.05"),
        *asked,
        Row("memory per extension, with its person and token", [memory / 1024], "KB", "<= 2 KB"),
    ]


def _asked_of_others(rig: Rig, on: Stage, target: Target) -> list[Row]:
    """AMI actions and SQL statements in the same time without polls and with as many as go."""
    rows = []
    for name, polling in (("no poll", False), ("as many polls as go", True)):
        asked = on.peer.asked.total()
        with statements(rig.postgres, on.database) as made:
            answers = _polls(target) if polling else _none()
        actions = on.peer.asked.total() - asked
        rows += [
            Row(f"{name}: polls in {SECONDS} s", [answers]),
            Row(f"{name}: AMI actions, all of them pings", [actions]),
            Row(f"{name}: SQL statements", [made()]),
        ]
    return rows


def _polls(target: Target) -> int:
    return load(target.base, target.asked, seconds=SECONDS).answers


def _none() -> int:
    time.sleep(SECONDS)
    return 0
