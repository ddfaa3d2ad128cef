"""The link in a storm of changes from a real Asterisk, and beside stock panoramisk on the same bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.bench.report import Row, ratio
from tests.bench.rig.ami_socket import Ami
from tests.bench.rig.processes import Program, cpu_seconds
from tests.bench.rig.scripted_asterisk import ScriptedAsterisk
from tests.bench.rig.servers import Rig
from tests.bench.rig.targets import MICRO

TITLE = "The link in a storm: changes of 1,000 custom devices as fast as a real Asterisk takes them"
CHANGES, DEVICES, ROUNDS = 60_000, 1_000, 3

_rounds = count(1)


@dataclass
class Seen:
    """What one reader of the storms measured."""

    per_second: list[float] = field(default_factory=list)
    backlog: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    asterisk_cpu: list[float] = field(default_factory=list)


def run(rig: Rig) -> list[Row]:
    """A bare reader and the link in turn; then the link and stock panoramisk on what the bare reader recorded."""
    bare, ours, replayed, stock = Seen(), Seen(), Seen(), Seen()
    for _ in range(ROUNDS):
        recorded = _bare_reader(rig, bare)
        _link(rig, ours)
        _replay(recorded, "link", replayed)
        _replay(recorded, "stock", stock)
    bare_rate = Row("bare reader: events a second", bare.per_second)
    live_rate = Row("link: events a second", ours.per_second)
    stock_cpu = Row("stock panoramisk, recorded stream: CPU per event", stock.cpu, "us")
    link_cpu = Row("link, recorded stream: CPU per event", replayed.cpu, "us")
    return [
        bare_rate,
        live_rate,
        ratio("link / bare reader, events a second", live_rate, bare_rate, "1"),
        Row("bare reader: last event after Asterisk's last answer", bare.backlog, "s"),
        Row("link: map is right after Asterisk's last answer", ours.backlog, "s"),
        Row("link: CPU per event", ours.cpu, "us"),
        Row("Asterisk: CPU per event, with its Setvar", ours.asterisk_cpu, "us"),
        link_cpu,
        stock_cpu,
        ratio("link / stock panoramisk, CPU", link_cpu, stock_cpu, "< 1"),
        Row("link: loop held at most, in a storm", ours.held, "ms", "<= 10 ms"),
        Row("link: loop held at most, recorded stream at once", replayed.held, "ms", "<= 10 ms"),
        Row("stock panoramisk: the same", stock.held, "ms"),
    ]


def storm(rig: Rig, changes: int = CHANGES, per_second: int = 0) -> tuple[Program, str]:
    """Begin a storm in a process of its own; its name is in its marks."""
    name = f"{time.time_ns()}-{next(_rounds)}"
    port = rig.asterisk.config.ami_port
    arguments = (port, name, changes, DEVICES, per_second)
    return Program("tests.bench.programs.storm_source", *arguments, environment={"AMI_SECRET": rig.secret}), name


def probe(port: int, secret: str, extensions: int = 0, mode: str = "link") -> Program:
    """The link, or what is measured in its place, in a process of its own."""
    return Program("tests.bench.programs.link_probe", port, extensions, mode, environment={"AMI_SECRET": secret})


def live(probe: Program) -> dict[str, Any]:
    """Wait until it is live; what it told of itself until then."""
    return {**probe.line(), **probe.line()}


def _bare_reader(rig: Rig, seen: Seen) -> bytes:
    """Reads and forgets, but for the record: nobody can be told faster."""
    config = rig.asterisk.config
    with Ami(config.ami_port, "monitor", config.monitor_secret) as ami:
        sender, name = storm(rig)
        with sender:
            head = ami.read_until(f"Custom:begin-{name}".encode())
            began = time.monotonic()
            recorded = head + ami.read_until(f"Custom:end-{name}\r\nState: INUSE\r\n\r\n".encode())
            ended = time.monotonic()
            seen.per_second.append(CHANGES / (ended - began))
            seen.backlog.append(max(0.0, ended - sender.line()["ended"]))
        return recorded[recorded.index(b"Event: DeviceStateChange") :]


def _link(rig: Rig, seen: Seen) -> None:
    config = rig.asterisk.config
    with probe(config.ami_port, config.monitor_secret) as link:
        live(link)
        asterisk = cpu_seconds(rig.asterisk_pid)
        sender, _ = storm(rig)
        with sender:
            begin, end = link.line(), link.line()
            assert end["events"] > CHANGES, end
            seen.per_second.append(CHANGES / (end["at"] - begin["at"]))
            seen.backlog.append(max(0.0, end["at"] - sender.line()["ended"]))
        seen.asterisk_cpu.append((cpu_seconds(rig.asterisk_pid) - asterisk) / CHANGES * MICRO)
        seen.cpu.append(end["cpu"] / CHANGES * MICRO)
        seen.held.append(end["held"] * 1000)


def _replay(recorded: bytes, mode: str, seen: Seen) -> None:
    """The whole record at once, as after a pause."""
    with ScriptedAsterisk() as peer, probe(peer.port, "any", 0, mode) as reader:
        live(reader)
        peer.say(recorded)
        reader.line()
        end = reader.line()
        seen.cpu.append(end["cpu"] / end["events"] * MICRO)
        seen.held.append(end["held"] * 1000)
