"""Finds out which events an account receives: Asterisk tells nobody the event filters of an account.

A list is taken before and after a time of watching. Whatever differs must have been told by an event; an event that
arrived needs no other proof. While nothing happens nothing is known: `check --watch` leaves time to make a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from panoramisk.message import Message

from service.ami.client import AmiClient
from service.ami.diagnostics.hint_devices import read_hint_statuses
from service.domain.models import DeviceState, Finding, Verdict
from service.errors import CallServerUnavailable

SETTLE = 1.0
"""Seconds after the last list in which an event of a change that the list shows may still arrive."""


class EventWatch:
    """An event handler that remembers the names of the events it receives."""

    def __init__(self) -> None:
        self.booted = asyncio.Event()
        """Set by FullyBooted, which only an account with read class `system` receives."""
        self.names: set[str] = set()

    def on_device_state(self, device: str, state: DeviceState) -> None:
        self.names.add("DeviceStateChange")

    def on_extension_status(self, number: str, context: str, hint: str, status: int) -> None:
        self.names.add("ExtensionStatus")

    def on_event(self, name: str, message: Message) -> None:
        self.names.add(name)
        if name == "FullyBooted":
            self.booted.set()

    def on_connection_lost(self, why: str) -> None: ...

    def received(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self.names)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of event, and the list that shows what it should have told."""

    what: str
    event: str
    class_: str
    read: Callable[[AmiClient], Awaitable[Any]]
    needed: bool = True


async def _contacts(connection: AmiClient) -> Any:
    return {aor: sorted(contacts) for aor, contacts in (await connection.contacts()).items()}


async def _queues(connection: AmiClient) -> Any:
    queues = await connection.queues()
    return queues.members, queues.callers


_KINDS = (
    _Kind("states of devices", "DeviceStateChange", "call", AmiClient.device_states),
    _Kind("hints", "ExtensionStatus", "call", read_hint_statuses, needed=False),
    _Kind("registrations", "ContactStatus", "system", _contacts),
    _Kind("queues", "Queue", "agent", _queues, needed=False),
)


Pause = Callable[[], Awaitable[object]]


async def watch(part: str, username: str, connection: AmiClient, handler: EventWatch, pause: Pause) -> list[Finding]:
    """Watch during `pause`; a finding per kind of event."""
    before = {kind: await _read(kind, connection) for kind in _KINDS}
    await pause()
    after = {kind: await _read(kind, connection) for kind in _KINDS}
    await asyncio.sleep(SETTLE)
    return [_report(part, username, kind, handler.received(kind.event), before[kind] != after[kind]) for kind in _KINDS]


async def _read(kind: _Kind, connection: AmiClient) -> Any:
    try:
        return await kind.read(connection)
    except CallServerUnavailable:
        if connection.why_ended is not None:
            raise
        return None  # another check reports it


def _report(part: str, username: str, kind: _Kind, received: bool, changed: bool) -> Finding:
    if received:
        return Finding(part, f"told of a change of {kind.what}")
    if changed:
        what = f"did not tell of a change of {kind.what}"
        remedy = (
            f"manager.conf: [{username}] needs read = system,call,agent ({kind.class_} here) and, if it has any "
            f"eventfilter, eventfilter = ^Event: {kind.event}"
        )
        return Finding(part, what, remedy, needed=kind.needed)
    remedy = "register a phone, and make a call to a queue, while `check --watch 60` runs"
    return Finding(part, f"nothing happened to {kind.what}", remedy, otherwise=Verdict.UNKNOWN)
