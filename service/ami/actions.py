"""AMI actions: requests whose headers cannot be forged, and lists that collect their items."""

from __future__ import annotations

import re
from collections.abc import Collection

from panoramisk.actions import Action
from panoramisk.message import Message

from service.domain.extension_hints import HintList
from service.domain.models import DeviceState
from service.errors import Invalid

NUMBER = re.compile("[0-9]{1,12}")
"""A decimal number in a header. `int` would also accept other scripts' digits, and raises on very long input."""
_STATUS = re.compile("-?[0-9]{1,9}")
_FORBIDDEN = re.compile(r"[\r\n\0]")


def header_text(message: Message, header: str) -> str:
    """A header's value; empty if the header is missing or repeated (panoramisk then returns a list)."""
    value = message.get(header)
    return value if isinstance(value, str) else ""


def parse_status(value: str) -> int:
    """The status of a hint; -1, Asterisk's number for a hint that is gone, if it is no number."""
    return int(value) if _STATUS.fullmatch(value) else -1


class AmiAction(Action):  # type: ignore[misc]
    """An action with a single response.

    Raises Invalid for a value with a line break, which would inject a second action.
    """

    def __init__(self, headers: dict[str, str]) -> None:
        for key, value in headers.items():
            if _FORBIDDEN.search(key) or _FORBIDDEN.search(value):
                raise Invalid(f"CR, LF or NUL in the AMI header {key!r}")
        super().__init__(headers)

    def add_message(self, message: Message) -> bool:
        """Handle a message with this action's id. Returns whether it is the response."""
        if not self.future.done():
            self.future.set_result(message)
        return True


class ListAction(AmiAction):
    """An action that Asterisk answers with a list; its response is an error or the list's last event."""

    def add_item(self, message: Message) -> None:
        """Collect an item. Also called with the first and the last message of the list."""

    def add_message(self, message: Message) -> bool:
        self.add_item(message)
        if message.response != "Error" and message.eventlist != "Complete":
            return False
        return super().add_message(message)


class DeviceStateList(ListAction):
    """All device states. The protocol fills `states` directly: a Message for each item would cost too much."""

    def __init__(self) -> None:
        super().__init__({"Action": "DeviceStateList"})
        self.states: dict[str, DeviceState] = {}


class ExtensionStateList(ListAction):
    """All hints. The protocol fills `listed` directly, as it fills a DeviceStateList."""

    def __init__(self, listed: HintList) -> None:
        super().__init__({"Action": "ExtensionStateList"})
        self.listed = listed

    def add_item(self, message: Message) -> None:
        """Add an item that the protocol does not know at sight."""
        if message.event == "ExtensionStatus":
            number, context, text, status = (
                header_text(message, header) for header in ("Exten", "Context", "Hint", "Status")
            )
            self.listed.add(number, context, text, parse_status(status))


class EventListAction(ListAction):
    """A short list: collects the messages of the events named in `item_events`."""

    def __init__(self, action: str, item_events: Collection[str]) -> None:
        super().__init__({"Action": action})
        self.items_collected: list[Message] = []
        self._item_events = item_events

    def add_item(self, message: Message) -> None:
        if message.event in self._item_events:
            self.items_collected.append(message)
