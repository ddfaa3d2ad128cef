"""The AMI byte stream: parses messages in order and in batches, and matches responses to actions.

panoramisk provides actions, messages and the connection. What it gets wrong under load or on faults is replaced here
(docs/decisions/0002-panoramisk.md lists the nine defects). The hot path, `DeviceStateChange`, is parsed from bytes.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Protocol

import structlog
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from service.ami.actions import AmiAction, DeviceStateList, ExtensionStateList, header_text, parse_status
from service.domain.models import DeviceState
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

GREETING = b"Asterisk Call Manager/"
NOT_AMI = "the peer does not speak AMI"
MAX_GREETING = 200
"""Maximum length of the first line, in bytes."""
MAX_MESSAGE = 1 << 20
"""Maximum size of one message, in bytes. The longest that Asterisk has reason to send is a few KB."""
MAX_BATCH = 200
"""Messages handled per turn of the event loop: a burst blocks it for a millisecond instead of 500."""

# Two line ends. Asterisk sometimes omits a CR; the next message must not be lost then.
_MESSAGE_END = re.compile(rb"\r?\n\r?\n")
# A whole DeviceStateChange as Asterisk writes it, as an event or a list item: nearly all traffic.
_DEVICE_STATE = re.compile(
    rb"Event: DeviceStateChange\r\n(?:Privilege: [^\r\n]*\r\n)?(?:ActionID: ([^\r\n]*)\r\n)?"
    rb"Device: ([^\r\n]+)\r\nState: ([^\r\n]*)\r\n\r\n"
)
# Likewise a whole ExtensionStatus: each state of a device brings one for each of its hints.
_EXTENSION_STATUS = re.compile(
    rb"Event: ExtensionStatus\r\n(?:Privilege: [^\r\n]*\r\n)?(?:ActionID: ([^\r\n]*)\r\n)?"
    rb"Exten: ([^\r\n]*)\r\nContext: ([^\r\n]*)\r\nHint: ([^\r\n]*)\r\nStatus: ([^\r\n]*)\r\n"
    rb"StatusText: [^\r\n]*\r\n\r\n"
)
_STATES = {state.name.encode(): state for state in DeviceState}


class NoAnswer(CallServerUnavailable):
    """Asterisk did not answer an action within its deadline. It may have carried it out, or may still."""


class EventHandler(Protocol):
    """Receives a connection's events in the order read. No method may block or raise."""

    def on_device_state(self, device: str, state: DeviceState) -> None: ...

    def on_extension_status(self, number: str, context: str, hint: str, status: int) -> None: ...

    def on_event(self, name: str, message: Message) -> None: ...

    def on_connection_lost(self, why: str) -> None: ...


class AmiProtocol(AMIProtocol):  # type: ignore[misc]
    """The protocol of one connection."""

    def __init__(self, handler: EventHandler) -> None:
        self._handler = handler
        self._buffer = b""
        self._position = 0  # `_buffer` is handled up to here
        self._heard_at = 0.0  # by the clock of the loop
        self._next_batch: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[str] = self._loop.create_future()
        self.why_ended: str | None = None
        """Why the connection ended; None while it is open."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)

    # --- reading ---------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.why_ended is not None:
            return
        self._heard_at = self._loop.time()
        self._buffer = self._buffer[self._position :] + data
        self._position = 0
        if not self.greeted.done() and not self._read_greeting():
            return
        if self._next_batch is None:
            self._handle_batch()

    def _read_greeting(self) -> bool:
        """Check the first line. Returns whether it is complete and AMI's."""
        line, newline, rest = self._buffer.partition(b"\n")
        if not line.startswith(GREETING[: len(line)]) or len(line) > MAX_GREETING:
            self.end(NOT_AMI)
        elif newline:
            self._buffer = rest
            self.greeted.set_result(line[len(GREETING) :].strip().decode("ascii", "replace"))
        return self.greeted.done() and self.why_ended is None

    def _handle_batch(self) -> None:
        """Handle up to MAX_BATCH messages. If more remain, pause reading and yield to the event loop."""
        self._next_batch = None
        for _ in range(MAX_BATCH):
            if device_state := _DEVICE_STATE.match(self._buffer, self._position):
                self._position = device_state.end()
                self._handle_device_state(*device_state.groups())
            elif (status := _EXTENSION_STATUS.match(self._buffer, self._position)) and self._is_expected(status[1]):
                self._position = status.end()
                self._handle_extension_status(*status.groups())
            elif not self._handle_next():
                if self.why_ended is None:
                    self.transport.resume_reading()
                return
        self._next_batch = self._loop.call_soon(self._handle_batch)
        self.transport.pause_reading()

    def _handle_next(self) -> bool:
        """Handle one message of any kind. False if none is complete, or the connection has ended."""
        end = _MESSAGE_END.search(self._buffer, self._position)
        size = (end.start() if end else len(self._buffer)) - self._position
        if size > MAX_MESSAGE:
            self.end(f"a message of more than {MAX_MESSAGE} bytes")
        if end is None or self.why_ended is not None:
            return False
        frame, self._position = self._buffer[self._position : end.start()], end.end()
        message = self._parse(frame.lstrip(b"\r\n"))
        if message is not None:
            self._handle(message)
        return self.why_ended is None

    def _handle(self, message: Message) -> None:
        if message.event == "DeviceStateChange":  # with extra headers, or in another order
            action_id, device, state = (
                header_text(message, header).encode() for header in ("ActionID", "Device", "State")
            )
            if device:
                self._handle_device_state(action_id, device, state)
            return
        action = self.responses.get(header_text(message, "ActionID"))
        if message.event == "ExtensionStatus" and not header_text(message, "ActionID"):
            values = (header_text(message, header).encode() for header in ("Exten", "Context", "Hint", "Status"))
            self._handle_extension_status(None, *values)
        elif action is not None:
            if action.add_message(message):
                self.responses.pop(action.id, None)
        elif name := header_text(message, "Event"):
            self._handler.on_event(name, message)

    def _handle_device_state(self, action_id: bytes | None, device: bytes, state: bytes) -> None:
        """A change; with an action id, an item of the list that the action requested."""
        name, value = device.decode("utf-8", "replace"), _STATES.get(state, DeviceState.UNKNOWN)
        if not action_id:
            self._handler.on_device_state(name, value)
            return
        action = self._action(action_id)
        if isinstance(action, DeviceStateList):
            action.states[name] = value

    def _is_expected(self, action_id: bytes | None) -> bool:
        """Whether an ExtensionStatus is an event, or an item of a list that takes it as such."""
        return not action_id or isinstance(self._action(action_id), ExtensionStateList)

    def _handle_extension_status(
        self, action_id: bytes | None, number: bytes, context: bytes, hint: bytes, status: bytes
    ) -> None:
        action = self._action(action_id) if action_id else None
        take = action.listed.add if isinstance(action, ExtensionStateList) else self._handler.on_extension_status
        dialled, of_context, text = (value.decode("utf-8", "replace") for value in (number, context, hint))
        take(dialled, of_context, text, parse_status(status.decode("ascii", "replace")))

    def _action(self, action_id: bytes) -> AmiAction | None:
        action: AmiAction | None = self.responses.get(action_id.decode("ascii", "replace"))
        return action

    def _parse(self, frame: bytes) -> Message | None:
        try:
            return Message.from_line(frame.decode("utf-8", "replace")) if frame else None
        except Exception:  # no parser error is worth the connection
            log.warning("ami_message_unreadable", size_bytes=len(frame))
            return None

    # --- writing ---------------------------------------------------------------------------------------------

    async def send(self, action: AmiAction, deadline: float, *, silence: float | None = None) -> Message:
        """Send an action and wait up to `deadline` seconds for its response, and up to `silence` seconds for any byte.

        Raises CallServerUnavailable then, or at the connection's end. A response that was read just before the end is
        dropped: the state that the caller would apply it to is already void.
        """
        if self.why_ended is not None:
            raise CallServerUnavailable(self.why_ended)
        self.responses[action.id] = action
        self.transport.write(str(action).encode())
        try:
            async with asyncio.timeout(deadline):
                if silence is not None:
                    await self._wait_while_heard(action, silence)
                response: Message = await action.future
        except TimeoutError:
            raise NoAnswer(f"no answer to {action['Action']} within {deadline:g} s") from None
        finally:
            self.responses.pop(action.id, None)
        if self.why_ended is not None:
            raise CallServerUnavailable(self.why_ended)
        return response

    async def _wait_while_heard(self, action: AmiAction, silence: float) -> None:
        """Wait for the response as long as Asterisk writes anything. Raises NoAnswer.

        A silence before the request counts, up to half of `silence`: the line may have died then. The rest is for
        Asterisk's answer on a connection that was idle.
        """
        silent_since = self._loop.time() - silence / 2
        while not action.future.done():
            silent_since = max(silent_since, self._heard_at)
            left = silent_since + silence - self._loop.time()
            if left <= 0:
                raise NoAnswer(f"no answer to {action['Action']}, and nothing else for {silence:g} s")
            await asyncio.wait([action.future], timeout=left)

    # --- the end ---------------------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """Close the connection now. Pending actions fail; data that was read but not handled is dropped."""
        if self.why_ended is not None:
            return
        self.why_ended = why
        self.closed = True
        if self._next_batch is not None:
            self._next_batch.cancel()
        self._buffer, self._position = b"", 0
        self.transport.abort()
        pending: list[asyncio.Future[Any]] = [action.future for action in self.responses.values()]
        for future in [*pending, self.greeted]:
            if not future.done():
                future.set_exception(CallServerUnavailable(why))
                future.exception()  # mark it retrieved: it may have no waiter left
        self.responses.clear()
        self._handler.on_connection_lost(why)

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(f"the connection ended: {exc}" if exc else "Asterisk closed the connection")

    def close(self) -> None:
        self.end("closed")
