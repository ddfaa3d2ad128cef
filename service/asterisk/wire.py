"""AMI on the wire: bytes to messages, in order, in slices; actions that cannot be forged.

panoramisk gives the actions, the messages and the connection; what of it breaks under load or faults is replaced here
(docs/decisions/0002-panoramisk.md lists the nine defects). The hot path, `DeviceStateChange`, is parsed from bytes.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from service.errors import CallServerUnavailable, Invalid
from service.model import DeviceState

log = structlog.get_logger(__name__)

GREETING = b"Asterisk Call Manager/"
MESSAGE_LIMIT = 1 << 20
"""Bytes of one message. The longest that Asterisk has reason to send us is a few KB."""
SLICE = 200
"""Messages handled in one turn of the loop: a burst holds it for 2-3 ms, not for 500."""

# Two line ends; Asterisk has been seen to send some of them without CR, which must not swallow the next message.
_END = re.compile(rb"\r?\n\r?\n")
_FORBIDDEN = re.compile(r"[\r\n\0]")
_STATES = {state.name.encode(): state for state in DeviceState}


class Events(Protocol):
    """Who hears of a connection. Each call is made in the order of the wire; none may wait or raise."""

    def device_state(self, device: str, state: DeviceState) -> None: ...

    def event(self, name: str, message: Message) -> None: ...

    def lost(self, why: str) -> None: ...


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


class Wire(AMIProtocol):  # type: ignore[misc]
    """The protocol of one connection."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._rest = b""
        self._frames: deque[bytes] = deque()
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
        data = self._rest + data
        if not self.greeted.done():
            line, newline, data = data.partition(b"\n")
            if not line.startswith(GREETING[: len(line)]) or len(line) > 200:
                self.end("the peer does not speak AMI")
                return
            if not newline:
                self._rest = line
                return
            self.greeted.set_result(line[len(GREETING) :].strip().decode("ascii", "replace"))
        *frames, self._rest = _END.split(data)
        if len(self._rest) > MESSAGE_LIMIT or any(len(frame) > MESSAGE_LIMIT for frame in frames):
            self.end(f"a message of more than {MESSAGE_LIMIT} bytes")
            return
        self._frames.extend(frames)
        if self._turn is None:
            self._take_turn()

    def _take_turn(self) -> None:
        """Handle a slice of the messages; while there are more, read no further and let the loop go round."""
        self._turn = None
        frames = self._frames
        for _ in range(min(SLICE, len(frames))):
            self._handle(frames.popleft())
            if self.why is not None:
                return
        if frames:
            self._turn = self._loop.call_soon(self._take_turn)
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _handle(self, frame: bytes) -> None:
        frame = frame.lstrip(b"\r\n")
        if frame.startswith(b"Event: DeviceStateChange\r\n"):
            self._handle_device_state(frame)
            return
        message = self._parsed(frame)
        if message is None:
            return
        action = self.responses.get(message.action_id) if message.action_id else None
        if action is not None:
            if action.add_message(message):
                self.responses.pop(action.id, None)
        elif message.event:
            self._events.event(message.event, message)

    def _handle_device_state(self, frame: bytes) -> None:
        device = state = action_id = b""
        for line in frame.split(b"\r\n"):
            key, _, value = line.partition(b": ")
            if key == b"Device":
                device = value
            elif key == b"State":
                state = value
            elif key == b"ActionID":
                action_id = value
        if not device:
            return
        name = device.decode("utf-8", "replace")
        value_ = _STATES.get(state, DeviceState.UNKNOWN)
        if not action_id:
            self._events.device_state(name, value_)
            return
        action = self.responses.get(action_id.decode("ascii", "replace"))
        if isinstance(action, DeviceStateList):
            action.__dict__["states"][name] = value_

    def _parsed(self, frame: bytes) -> Message | None:
        try:
            return Message.from_line(frame.decode("utf-8", "replace")) if frame else None
        except Exception:  # whatever the parser trips over is not worth the link
            log.warning("an AMI message could not be read", size=len(frame))
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
        self._frames.clear()
        self._rest = b""
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


Factory = Callable[[], Wire]
