"""AMI on the wire: bytes to messages, in order, in slices; actions that cannot be forged.

panoramisk gives the actions, the messages and the connection; what of it breaks under load or faults is replaced here
(docs/decisions/0002-panoramisk.md lists the nine defects). The hot path, `DeviceStateChange`, is parsed from bytes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from service.domain.models import DeviceState
from service.errors import CallServerUnavailable, Invalid

log = structlog.get_logger(__name__)

GREETING = b"Asterisk Call Manager/"
NOT_AMI = "the peer does not speak AMI"
MESSAGE_LIMIT = 1 << 20
"""Bytes of one message. The longest that Asterisk has reason to send us is a few KB."""
SLICE = 200
"""Messages handled in one turn of the loop: a burst holds it for a millisecond, not for 500."""

# Two line ends; Asterisk has been seen to send some of them without CR, which must not swallow the next message.
_END = re.compile(rb"\r?\n\r?\n")
# A whole DeviceStateChange as Asterisk writes it, an event or an item of a list: nearly all that is ever read.
_DEVICE_STATE = re.compile(
    rb"Event: DeviceStateChange\r\n(?:Privilege: [^\r\n]*\r\n)?(?:ActionID: ([^\r\n]*)\r\n)?"
    rb"Device: ([^\r\n]+)\r\nState: ([^\r\n]*)\r\n\r\n"
)
NUMBER = re.compile("[0-9]{1,12}")
"""What is taken for a number: Python's own `int` takes other digits too, and raises for very many."""
_FORBIDDEN = re.compile(r"[\r\n\0]")
_STATES = {state.name.encode(): state for state in DeviceState}


class EventHandler(Protocol):
    """Who hears of a connection. Each call is made in the order of the wire; none may wait or raise."""

    def device_state(self, device: str, state: DeviceState) -> None: ...

    def event(self, name: str, message: Message) -> None: ...

    def lost(self, why: str) -> None: ...


def text(message: Message, header: str) -> str:
    """A header's value; empty when there is none, or more than one, which panoramisk makes a list."""
    value = message.get(header)
    return value if isinstance(value, str) else ""


class Request(Action):  # type: ignore[misc]
    """An action with one answer. Raises Invalid for a value that would be two lines, and so another action."""

    def __init__(self, headers: dict[str, str]) -> None:
        for key, value in headers.items():
            if _FORBIDDEN.search(key) or _FORBIDDEN.search(value):
                raise Invalid(f"CR, LF or NUL in the AMI header {key!r}")
        super().__init__(headers)

    def add_message(self, message: Message) -> bool:
        if not self.future.done():
            self.future.set_result(message)
        return True


class DeviceStateList(Request):
    """The list action whose items are worth no Message each: it gathers `states` and answers with its last event."""

    def __init__(self) -> None:
        super().__init__({"Action": "DeviceStateList"})
        self.__dict__["states"] = {}

    def add_message(self, message: Message) -> bool:
        refused = message.response == "Error"
        if not refused and message.eventlist != "Complete":
            return False
        return super().add_message(message)


class Listing(Request):
    """A list action whose items are few: it gathers their messages and answers with its last event."""

    def __init__(self, action: str, *items: str) -> None:
        super().__init__({"Action": action})
        self.__dict__["items_called"] = items
        self.__dict__["listed"] = []

    def add_message(self, message: Message) -> bool:
        if message.event in self.__dict__["items_called"]:
            self.__dict__["listed"].append(message)
        refused = message.response == "Error"
        if not refused and message.eventlist != "Complete":
            return False
        return super().add_message(message)


class AmiProtocol(AMIProtocol):  # type: ignore[misc]
    """The protocol of one connection."""

    def __init__(self, events: EventHandler) -> None:
        self._events = events
        self._unread = b""
        self._at = 0  # how far `_unread` is handled
        self._turn: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[str] = self._loop.create_future()
        self.why: str | None = None
        """Why the connection ended, once it has."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)

    # --- reading ---------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.why is not None:
            return
        self._unread = self._unread[self._at :] + data
        self._at = 0
        if not self.greeted.done() and not self._take_greeting():
            return
        if self._turn is None:
            self._take_turn()

    def _take_greeting(self) -> bool:
        """Whether the first line is there, and AMI's."""
        line, newline, rest = self._unread.partition(b"\n")
        if not line.startswith(GREETING[: len(line)]) or len(line) > 200:
            self.end(NOT_AMI)
        elif newline:
            self._unread = rest
            self.greeted.set_result(line[len(GREETING) :].strip().decode("ascii", "replace"))
        return self.greeted.done() and self.why is None

    def _take_turn(self) -> None:
        """Handle a slice of the messages; while there are more, read no further and let the loop go round."""
        self._turn = None
        for _ in range(SLICE):
            if device_state := _DEVICE_STATE.match(self._unread, self._at):
                self._at = device_state.end()
                self._handle_device_state(*device_state.groups())
            elif not self._handle_next():
                if self.why is None:
                    self.transport.resume_reading()
                return
        self._turn = self._loop.call_soon(self._take_turn)
        self.transport.pause_reading()

    def _handle_next(self) -> bool:
        """Handle one message, whatever it is. False when there is no whole one, or the connection has ended."""
        end = _END.search(self._unread, self._at)
        size = (end.start() if end else len(self._unread)) - self._at
        if size > MESSAGE_LIMIT:
            self.end(f"a message of more than {MESSAGE_LIMIT} bytes")
        if end is None or self.why is not None:
            return False
        frame, self._at = self._unread[self._at : end.start()], end.end()
        message = self._parsed(frame.lstrip(b"\r\n"))
        if message is not None:
            self._handle(message)
        return self.why is None

    def _handle(self, message: Message) -> None:
        if message.event == "DeviceStateChange":  # with more headers than usual, or in another order
            action_id, device, state = (text(message, header).encode() for header in ("ActionID", "Device", "State"))
            if device:
                self._handle_device_state(action_id, device, state)
            return
        action = self.responses.get(text(message, "ActionID"))
        if action is not None:
            if action.add_message(message):
                self.responses.pop(action.id, None)
        elif name := text(message, "Event"):
            self._events.event(name, message)

    def _handle_device_state(self, action_id: bytes | None, device: bytes, state: bytes) -> None:
        """A change, or, with an action's id, an item of the list that it asked for."""
        name, value = device.decode("utf-8", "replace"), _STATES.get(state, DeviceState.UNKNOWN)
        if not action_id:
            self._events.device_state(name, value)
            return
        action = self.responses.get(action_id.decode("ascii", "replace"))
        if isinstance(action, DeviceStateList):
            action.__dict__["states"][name] = value

    def _parsed(self, frame: bytes) -> Message | None:
        try:
            return Message.from_line(frame.decode("utf-8", "replace")) if frame else None
        except Exception:  # whatever the parser trips over is not worth the link
            log.warning("ami_message_unreadable", size_bytes=len(frame))
            return None

    # --- writing ---------------------------------------------------------------------------------------------

    async def ask(self, request: Request, deadline: float) -> Message:
        """Send an action and wait for its answer. Raises CallServerUnavailable at the deadline or the line's end.

        An answer that was read just before the end counts for nothing: by now whoever asked may only learn of the end.
        """
        if self.why is not None:
            raise CallServerUnavailable(self.why)
        self.responses[request.id] = request
        self.transport.write(str(request).encode())
        try:
            async with asyncio.timeout(deadline):
                answer: Message = await request.future
        except TimeoutError:
            raise CallServerUnavailable(f"no answer to {request['Action']} within {deadline:g} s") from None
        finally:
            self.responses.pop(request.id, None)
        if self.why is not None:
            raise CallServerUnavailable(self.why)
        return answer

    # --- the end ---------------------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """Close the connection now: what waits for an answer fails, what was read but not handled is dropped."""
        if self.why is not None:
            return
        self.why = why
        self.closed = True
        if self._turn is not None:
            self._turn.cancel()
        self._unread, self._at = b"", 0
        self.transport.abort()
        failed: list[asyncio.Future[Any]] = [action.future for action in self.responses.values()]
        for future in [*failed, self.greeted]:
            if not future.done():
                future.set_exception(CallServerUnavailable(why))
                future.exception()  # perhaps nobody waits any more; that is no error
        self.responses.clear()
        self._events.lost(why)

    def connection_lost(self, exc: Exception | None) -> None:
        # What was read before the end came is still true, but nobody may rely on it any more.
        self.end(f"the connection ended: {exc}" if exc else "Asterisk closed the connection")

    def close(self) -> None:
        self.end("closed")


Factory = Callable[[], AmiProtocol]
