"""nats-py's client, as the bus needs it: the only module that imports nats-py.

nats-py would reconnect by itself, keep what it could not send, wait while its buffer is full, and hand messages to a
task for each subscription. Here a client is one connection: sending never waits, all subjects are heard in the order of
arrival, and when it has ended it is done with.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable, Iterator

from nats import errors
from nats.aio import client, transport

from service.bus.broker import Broker, BrokerRefused, BrokerUnavailable
from service.errors import ConfigurationError

MAX_UNSENT = 16 * 1024 * 1024
"""Bytes that wait for the socket at most. Beyond it messages are dropped, and receivers see a gap."""
NEVER = 10**6
"""Seconds between nats-py's own pings: `ping` is asked from outside."""
_REFUSALS = ("authorization violation", "authentication", "account")
"""What a server says to a login that it does not accept, in lower case."""


class Client(client.Client):
    """One connection.

    `received` is called with subject and body of each message, `denied` with what the broker does not permit.
    """

    def __init__(self, broker: Broker, received: Callable[[str, bytes], None], denied: Callable[[str], None]) -> None:
        super().__init__()
        self._broker = broker
        self._received, self._denied = received, denied
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended, with the reason."""
        self._open = False
        self.heard = 0
        """Number of messages so far, as a proof of life."""

    async def open(self, server: str, name: str, deadline: float) -> None:
        """Connect and log in. Raises BrokerUnavailable, BrokerRefused, ConfigurationError."""
        broker = self._broker
        with _translated():
            await self.connect(
                server,
                error_cb=self._on_error,
                closed_cb=self._on_closed,
                name=name,
                allow_reconnect=False,
                connect_timeout=deadline,  # type: ignore[arg-type]  # a float does as well
                ping_interval=NEVER,
                no_echo=True,
                tls=tls_context(broker) if broker.tls else None,
                user=broker.user,
                password=broker.secret if broker.user else None,
                token=None if broker.user else broker.secret,
            )
        self._open = True

    async def hear(self, subjects: Iterable[str]) -> None:
        """Subscribe. Raises BrokerUnavailable."""
        with _translated():
            for subject in subjects:
                await self.subscribe(subject)

    @property
    def has_ended(self) -> bool:
        """Whether nothing can be sent any more, also if nobody has noticed yet."""
        return self.is_closed or not isinstance(self._transport, _Line) or self._transport.has_ended

    def post(self, subject: str, body: bytes) -> bool:
        """Send at once; False if the message was dropped: too much waits already, or it is too long. It never waits."""
        line = self._transport
        if self.is_closed or not isinstance(line, _Line) or len(body) > self.max_payload:
            return False
        return line.post(b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(body), body))

    async def ping(self, deadline: float) -> None:
        """Wait for the answer to a ping. Raises BrokerUnavailable if nothing at all arrives within the deadline."""
        heard, answer = self.heard, asyncio.get_running_loop().create_future()
        with _translated():
            await self._send_ping(answer)
        await asyncio.wait((answer, self.ended), timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and not self.ended.done() and self.heard == heard:
            raise BrokerUnavailable(f"no answer for {deadline:g} s")

    def abort(self) -> None:
        """End the connection and its tasks at once."""
        self._status = client.Client.CLOSED
        for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
            if task is not None:
                task.cancel()
        if isinstance(self._transport, _Line):
            self._transport.abort()

    async def _on_error(self, error: Exception) -> None:
        text = str(error)
        if "permissions violation" in text:
            self._denied(text.removeprefix("nats: "))
        elif not self._open:  # nats-py would go on to try the server
            raise error

    async def _on_closed(self) -> None:
        if not self.ended.done():
            self.ended.set_result(_in_words(self.last_error) if self.last_error else "the connection was closed")

    async def _connect_to_server(self, s: client.Srv) -> None:
        self._transport = line = _Line()
        deadline = self.options["connect_timeout"]
        await line.connect(s.uri, buffer_size=client.DEFAULT_BUFFER_SIZE, connect_timeout=deadline)

    async def _process_info(self, info: dict[str, object], initial_connection: bool = False) -> None:
        if initial_connection and self._broker.tls and not info.get("tls_required"):
            raise BrokerRefused("TLS: the server offers none, so the password was not sent")
        info.pop("connect_urls", None)  # the servers of the settings, and no others
        await super()._process_info(info, initial_connection)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.heard += 1
        self._received(subject.decode(), data)


class _Line(transport.TcpTransport):
    """A socket that can be asked what it holds, and that can be dropped with it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def has_ended(self) -> bool:
        return self._io_writer is None or self._io_writer.transport.is_closing()

    def post(self, command: bytes) -> bool:
        """Write, unless too much waits already or the line has ended, which uvloop's transports raise."""
        if self._io_writer is None or self.has_ended:
            return False
        try:
            if self._io_writer.transport.get_write_buffer_size() + len(command) > MAX_UNSENT:
                return False
            self._io_writer.write(command)
        except (OSError, RuntimeError):
            return False
        return True

    def abort(self) -> None:
        for writer in (self._io_writer, self._bare_io_writer):
            if writer is not None:
                writer.transport.abort()


def tls_context(broker: Broker) -> ssl.SSLContext:
    """Raises ConfigurationError if a file cannot be read."""
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
        if broker.certificate_file is not None:
            context.load_cert_chain(broker.certificate_file, broker.key_file)
    except OSError as error:  # SSLError is a subclass
        raise ConfigurationError(f"the files of the bus's TLS cannot be used: {error}") from None
    return context


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate what nats-py, the loop and the network raise."""
    try:
        yield
    except errors.Error as error:
        raise _refusal_or_outage(error) from None
    except ssl.SSLError as error:
        raise BrokerRefused(f"TLS: {error.reason or error}") from None
    except (OSError, ValueError, RuntimeError, AttributeError, asyncio.IncompleteReadError) as error:
        raise BrokerUnavailable(_in_words(error)) from None


def _refusal_or_outage(error: errors.Error) -> BrokerUnavailable:
    text = _in_words(error)
    return BrokerRefused(text) if any(word in text.lower() for word in _REFUSALS) else BrokerUnavailable(text)


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError | errors.TimeoutError):
        return "no answer"
    if isinstance(error, errors.UnexpectedEOF | asyncio.IncompleteReadError):
        return "the server ended the connection"
    return str(error).removeprefix("nats: ").strip("'") or type(error).__name__
