r"""AMI sessions that read promptly, and changes at a pace that each of them is told of.

    AMI_SECRET=... MONITOR_SECRET=... python -m tests.bench.programs.fanout_readers \
        PORT PID ROUND SESSIONS CHANGES PER_SECOND

PID is Asterisk's. Without SESSIONS it only sends: then others are told. Sender and readers are one process with one
clock: so a delay is from a change's bytes until the last of all sessions has read its event.
"""

from __future__ import annotations

import os
import selectors
import sys
import time
from dataclasses import dataclass, field

from tests.bench.rig.ami_socket import READ, Ami
from tests.bench.rig.asterisk_config import BENCH
from tests.bench.rig.processes import BenchError, cpu_seconds, emit, memory_bytes, thread_count

DEVICES = 100
STATES = ("INUSE", "NOT_INUSE", "RINGING", "BUSY")
SETTLE = 0.2
"""Seconds after the last event, until Asterisk has told all sessions."""
DRAIN = 10.0
"""Seconds that the last event may take."""


@dataclass
class Changes:
    """Which change was sent when, and when the last session had read it."""

    sessions: int
    sent: list[float] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def send(self, at: float) -> None:
        self.sent.append(at)
        self.readers.append(0)

    def read(self, first: int, after: int, at: float) -> None:
        """A session has read the events of these changes; events come in the order of changes."""
        for number in range(first, after):
            self.readers[number] += 1
            if self.readers[number] == self.sessions:
                self.delays.append(at - self.sent[number])


class Session:
    """One that counts events, which may come in pieces."""

    def __init__(self, ami: Ami, mark: bytes) -> None:
        self.ami = ami
        self.count = 0
        self._mark = mark
        self._rest = b""

    def take(self, data: bytes) -> None:
        *messages, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self.count += sum(self._mark in message for message in messages)


def main(port: int, pid: int, name: str, sessions: int, changes: int, per_second: int) -> None:
    memory, threads = memory_bytes(pid), thread_count(pid)
    mark = f"Device: Custom:{name}-".encode()
    with Ami(port, BENCH, os.environ["AMI_SECRET"]) as sender, selectors.DefaultSelector() as selector:
        for _ in range(sessions):
            reader = Ami(port, "monitor", os.environ["MONITOR_SECRET"])
            reader.socket.setblocking(False)
            selector.register(reader.socket, selectors.EVENT_READ, Session(reader, mark))
        sender.socket.setblocking(False)
        selector.register(sender.socket, selectors.EVENT_READ)
        cpu = cpu_seconds(pid)
        done = run(selector, sender, Changes(sessions), name, changes, 1 / per_second)
        time.sleep(SETTLE)
        emit(
            cpu=cpu_seconds(pid) - cpu,
            delays=sorted(done.delays),
            memory=memory_bytes(pid) - memory,
            threads=thread_count(pid) - threads,
        )


def run(selector: selectors.BaseSelector, sender: Ami, done: Changes, name: str, changes: int, pace: float) -> Changes:
    """Send each change when it is due, and read meanwhile; until all sessions have read all."""
    began = time.monotonic()
    while len(done.sent) < changes or (done.sessions and len(done.delays) < changes):
        number, now = len(done.sent), time.monotonic()
        due = began + number * pace
        if number < changes and now >= due:
            done.send(now)
            device, state = f"Custom:{name}-{number % DEVICES}", STATES[number // DEVICES % len(STATES)]
            sender.send(f"Action: Setvar\r\nVariable: DEVICE_STATE({device})\r\nValue: {state}\r\n\r\n")
            continue
        if now > began + changes * pace + DRAIN:
            raise BenchError(f"{changes - len(done.delays)} events did not reach every session")
        for key, _ in selector.select(due - now if number < changes else DRAIN):
            read(key, done)
    return done


def read(key: selectors.SelectorKey, done: Changes) -> None:
    """What a socket holds: events, or answers to the sender, which say nothing new."""
    data = os.read(key.fd, READ)
    if not data:
        raise BenchError("Asterisk closed an AMI connection")
    if key.data is not None:
        before = key.data.count
        key.data.take(data)
        done.read(before, key.data.count, time.monotonic())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
