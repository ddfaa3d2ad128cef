"""What each further AMI session costs the machine that carries the calls, and how late the last session hears."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.bench.report import Row, ratio
from tests.bench.rig.processes import Program
from tests.bench.rig.servers import Rig
from tests.bench.rig.targets import MICRO

SESSIONS = (1, 2, 10, 20, 50)
SENDER = 1
"""The session that sets the states."""
PER_SECOND, CHANGES, ROUNDS = 500, 1_250, 3
TITLE = f"AMI sessions of `monitor` that read promptly: {PER_SECOND} changes a second of a real Asterisk"


@dataclass
class Seen:
    """What so many sessions cost, round by round."""

    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)


def run(rig: Rig) -> list[Row]:
    """Each number of sessions in turn, round by round; the largest first, which finds no memory of earlier ones."""
    seen = {sessions: Seen() for sessions in SESSIONS}
    for turn in range(ROUNDS):
        for sessions in reversed(SESSIONS):
            _measure(rig, sessions, f"{time.time_ns()}x{turn}", seen[sessions])
    cpu = {each: Row(f"{_name(each)}: Asterisk's CPU per event", seen[each].cpu, "us") for each in SESSIONS}
    most = SESSIONS[-1]
    further = [(many - one) / (most - 1) for many, one in zip(seen[most].cpu, seen[1].cpu, strict=True)]
    return [
        *cpu.values(),
        *(ratio(f"{_name(sessions)} / one, CPU", cpu[sessions], cpu[1]) for sessions in SESSIONS[1:]),
        Row("each further session: CPU per event", further, "us"),
        *(Row(f"{_name(each)}: change to the last session, p50", seen[each].p50, "ms") for each in SESSIONS),
        *(Row(f"{_name(each)}: change to the last session, p99", seen[each].p99, "ms") for each in SESSIONS),
        Row("threads per session", [each / (most + SENDER) for each in seen[most].threads]),
        Row(f"first {most} sessions: memory per session", [seen[most].memory[0] / (most + SENDER) / 1024], "KB"),
    ]


def told_to(rig: Rig, sessions: int, name: str) -> dict[str, Any]:
    """Make changes that so many sessions of the bench's own are told of; what it saw. The name is new each time."""
    config = rig.asterisk.config
    arguments = (config.ami_port, rig.asterisk_pid, name, sessions, CHANGES, PER_SECOND)
    secrets = {"AMI_SECRET": rig.secret, "MONITOR_SECRET": config.monitor_secret}
    with Program("tests.bench.programs.fanout_readers", *arguments, environment=secrets) as program:
        return program.line()


def _measure(rig: Rig, sessions: int, name: str, seen: Seen) -> None:
    told = told_to(rig, sessions, name)
    seen.cpu.append(told["cpu"] / CHANGES * MICRO)
    seen.p50.append(told["delays"][CHANGES // 2] * 1000)
    seen.p99.append(told["delays"][CHANGES * 99 // 100] * 1000)
    seen.memory.append(told["memory"])
    seen.threads.append(told["threads"])


def _name(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"
