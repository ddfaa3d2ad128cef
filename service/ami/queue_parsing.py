"""Parses AMI messages about queues. No function here raises, whatever a message holds.

The list and the events use different headers for a member's interface (`Location`, `Interface`). Its state is a number.
"""

from __future__ import annotations

from collections.abc import Iterable

from panoramisk.message import Message

from service.ami.actions import NUMBER, header_text
from service.domain.models import DeviceState
from service.domain.queues import Averages, Member, QueueSnapshot

LIST_EVENTS = ("QueueParams", "QueueMember", "QueueEntry")
"""The events of a `QueueStatus` list: a queue, one of its members, a call that waits in it."""
# `enum ast_device_state` counts from 0, in the order of `DeviceState`.
_STATES = {str(number): state for number, state in enumerate(DeviceState)}


def parse_list(messages: Iterable[Message]) -> QueueSnapshot:
    """Parse the items of a `QueueStatus` list."""
    listed = QueueSnapshot({}, {}, {})
    for message in messages:
        queue = header_text(message, "Queue")
        if message.event == "QueueParams":
            listed.averages[queue] = Averages(_parse_seconds(message, "Holdtime"), _parse_seconds(message, "TalkTime"))
        elif message.event == "QueueMember":
            member = parse_member(message, header_text(message, "Location"))
            listed.members[queue, member.interface] = member
        elif message.event == "QueueEntry":
            listed.callers[queue, header_text(message, "Uniqueid")] = True
    return listed


def parse_member(message: Message, interface: str) -> Member:
    """Parse a member from the list or an event."""
    return Member(
        interface=interface,
        state_of=header_text(message, "StateInterface") or interface,
        state=_STATES.get(header_text(message, "Status"), DeviceState.UNKNOWN),
        paused=header_text(message, "Paused") == "1",
    )


def _parse_seconds(message: Message, header: str) -> int:
    value = header_text(message, header)
    return int(value) if NUMBER.fullmatch(value) else 0
