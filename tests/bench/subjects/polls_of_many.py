"""What a poll costs with very many extensions, what polls cost the others, and the memory that an extension takes."""

from __future__ import annotations

import time

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import memory_bytes
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import Stage, stage
from tests.bench.rig.statement_counter import statements
from tests.bench.rig.targets import Target, measure
from tests.bench.rig.wrk import run as load

FEW, MANY = 100, 100_000
TITLE = f"Registration polls of {MANY:,} people beside {FEW}: 64 connections, keep-alive"
SECONDS, WARM_UP, ROUNDS = 10, 3, 3
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
            Target(name, on.service.url, on.service.pid, rig.asked(name, asked))
            for name, on, asked in (
                (f"{FEW} people", few, people.polls(FEW)),
                (f"{MANY:,} people, every tenth in turn", many, people.polls(MANY)[::10]),
                (f"{MANY:,} people, {FEW} of them", many, people.polls(FEW)),
            )
        )
        targets = (small, large, hot)
        load(large.base, large.asked, seconds=WARM_UP)
        measure(targets, rig.postgres_pid, rounds=ROUNDS)
        asked = _asked_of_others(rig, many, large)
    return [
        *(target.cpu_row() for target in targets),
        ratio("every tenth of many / few, CPU", large.cpu_row(), small.cpu_row(), "<= 1.05"),
        ratio("the same few of many / few, CPU", hot.cpu_row(), small.cpu_row(), "<= 1.05"),
        *asked,
        Row("memory per extension, with its person and token", [memory / 1024], "KB", "<= 2 KB"),
    ]


def _asked_of_others(rig: Rig, on: Stage, target: Target) -> list[Row]:
    """AMI actions and SQL statements in the same time without polls and with as many as go."""
    rows = []
    for name, polling in (("no poll", False), ("as many polls as go", True)):
        before = on.peer.asked.copy()
        with statements(rig.postgres, on.database) as made:
            answers = _polls(target) if polling else _none()
        actions = on.peer.asked - before
        rows += [
            Row(f"{name}: polls in {SECONDS} s", [answers]),
            Row(f"{name}: AMI actions that are no ping", [actions.total() - actions["ping"]], goal="0"),
            Row(f"{name}: SQL statements", [made()]),
        ]
    return rows


def _polls(target: Target) -> int:
    return load(target.base, target.asked, seconds=SECONDS).answers


def _none() -> int:
    time.sleep(SECONDS)
    return 0
