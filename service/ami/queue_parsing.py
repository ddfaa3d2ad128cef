"""What AMI tells of queues, as values. Nothing in here raises, whatever a message holds.

The list and the events name a member's interface differently (`Location`, `Interface`), and state it as a number.
"""

from __future__ import annotations

from collections.abc import Iterable

from panoramisk.message import Message

from service.ami.protocol import NUMBER, text
from service.domain.models import DeviceState
from service.domain.queues import Averages, Member, QueueSnapshot

ITEMS = ("QueueParams", "QueueMember", "QueueEntry")
"""What `QueueStatus` lists: a queue, one of its members, a call that waits in it."""
# `enum ast_device_state` counts from 0, in the order of `DeviceState`.
_STATES = {str(number): state for number, state in enumerate(DeviceState)}


def parse_list(messages: Iterable[Message]) -> QueueSnapshot:
    """The items of a `QueueStatus`."""
    listed = QueueSnapshot({}, {}, {})
    for message in messages:
        queue = text(message, "Queue")
        if message.event == "QueueParams":
            listed.averages[queue] = Averages(_seconds(message, "Holdtime"), _seconds(message, "TalkTime"))
        elif message.event == "QueueMember":
            member = parse_member(message, text(message, "Location"))
            listed.members[queue, member.interface] = member
        elif message.event == "QueueEntry":
            listed.callers[queue, text(message, "Uniqueid")] = True
    return listed


def parse_member(message: Message, interface: str) -> Member:
    """A member, from the list or from an event."""
    return Member(
        interface=interface,
        state_of=text(message, "StateInterface") or interface,
        state=_STATES.get(text(message, "Status"), DeviceState.UNKNOWN),
        paused=text(message, "Paused") == "1",
    )


def _seconds(message: Message, header: str) -> int:
    value = text(message, header)
    return int(value) if NUMBER.fullmatch(value) else 0
