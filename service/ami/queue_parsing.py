"""Parses AMI messages about queues. No function here raises, whatever a message holds.

The list and the events use different headers for a member's interface (`Location`, `Interface`). Its state is a number.
"""

from __future__ import annotations

from collections.abc import Iterable

from panoramisk.message import Message

from service.ami.actions import NUMBER, header_text
from service.domain.models import DeviceState
from service.domain.queue_entries import Averages, Caller, Member, QueueSnapshot

LIST_EVENTS = ("QueueParams", "QueueMember", "QueueEntry")
"""The events of a `QueueStatus` list: a queue, one of its members, a call that waits in it."""
# `enum ast_device_state` counts from 0, in the order of `DeviceState`.
_STATES = {str(number): state for number, state in enumerate(DeviceState)}


_MAX_DIGITS = 11
_WITHHELD = ("", "<unknown>")
"""A caller's number that Asterisk does not know."""


def parse_list(messages: Iterable[Message], now: float) -> QueueSnapshot:
    """Parse the items of a `QueueStatus` list. `now`: seconds since the epoch."""
    listed = QueueSnapshot({}, {}, {})
    for message in messages:
        queue = header_text(message, "Queue")
        if message.event == "QueueParams":
            listed.averages[queue] = Averages(parse_number(message, "Holdtime"), parse_number(message, "TalkTime"))
        elif message.event == "QueueMember":
            member = parse_member(message, header_text(message, "Location"))
            listed.members[queue, member.interface] = member
        elif message.event == "QueueEntry":
            waits = parse_number(message, "Wait")
            listed.callers[queue, header_text(message, "Uniqueid")] = parse_caller(message, max(0.0, now - waits))
    return listed


def parse_member(message: Message, interface: str) -> Member:
    """Parse a member from the list or an event."""
    return Member(
        interface=interface,
        state_of=header_text(message, "StateInterface") or interface,
        state=_STATES.get(header_text(message, "Status"), DeviceState.UNKNOWN),
        paused=header_text(message, "Paused") == "1",
        name=header_text(message, "MemberName") or header_text(message, "Name") or interface,
        paused_reason=header_text(message, "PausedReason"),
        paused_at=parse_number(message, "LastPause"),
        penalty=parse_number(message, "Penalty"),
        in_call=header_text(message, "InCall") == "1",
        calls_taken=parse_number(message, "CallsTaken"),
        last_call_at=parse_number(message, "LastCall"),
    )


def parse_caller(message: Message, waiting_since: float) -> Caller:
    """Parse a caller from the list or an event."""
    number = header_text(message, "CallerIDNum")
    return Caller(parse_number(message, "Position"), waiting_since, None if number in _WITHHELD else number)


def parse_number(message: Message, header: str) -> int:
    """Parse a whole number; 0 for anything else, and for what no counter or time of Asterisk reaches."""
    value = header_text(message, header)
    return int(value) if NUMBER.fullmatch(value) and len(value) <= _MAX_DIGITS else 0
