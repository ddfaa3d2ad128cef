"""A connection to NATS that is made anew whenever it ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence

import structlog

from service.backoff import delays
from service.bus.broker import Broker, BrokerRefused, BrokerUnavailable
from service.bus.nats_client import Client, tls_context

log = structlog.get_logger(__name__)

CONNECT_DEADLINE = 2.0
"""Seconds for one server, from the first packet to the answer about the subscriptions."""
PING_INTERVAL = 1.0
PING_DEADLINE = 2.0
"""Seconds: a line that says nothing for the sum of both has ended, although nobody said so."""
MAX_DENIED = 10
"""Missing permissions that are logged for one connection."""
RETRY_REFUSED = 30.0
"""Seconds before a refused login is tried again: an operator is needed."""


def retry_delays() -> Iterator[float]:
    """Short: a bus that is back must be heard within a second. Each attempt costs the server a few packets."""
    return delays(initial=0.1, maximum=0.4)


class NatsConnection:
    """Subscribes to subjects, hands over each message in the order of arrival, and sends without waiting.

    Nothing is kept for later: what is sent while there is no connection is dropped.
    """

    def __init__(
        self, broker: Broker, name: str, subjects: Sequence[str], received: Callable[[str, bytes], None],
    ) -> None:  # fmt: skip
        self._broker, self._name, self._subjects = broker, name, tuple(subjects)
        self._received = received
        self._client: Client | None = None
        self._denied: set[str] = set()
        self.failure: BrokerUnavailable | None = None
        """Why there is no connection."""
        self.dropped = 0
        """Number of messages that were not sent, because too much waited already."""

    @property
    def connected(self) -> bool:
        return self._client is not None

    def send(self, subject: str, body: bytes) -> None:
        """Send, or drop the message. It never waits, and never raises."""
        if self._client is not None and not self._client.post(subject, body) and not self._client.has_ended:
            if not self.dropped:
                log.warning("bus_messages_dropped", size_bytes=len(body))
            self.dropped += 1

    async def run(self) -> None:
        """Connect, and connect again whenever the connection ends, until cancelled. Raises ConfigurationError."""
        if self._broker.tls:
            tls_context(self._broker)
        retries = retry_delays()
        for server in itertools.cycle(self._broker.servers):
            try:
                await self._hold(server)
            except BrokerUnavailable as error:
                self._report(server, error)
                if isinstance(error, BrokerRefused):
                    await asyncio.sleep(RETRY_REFUSED / len(self._broker.servers))
                    continue
                if self._was_connected:
                    retries = retry_delays()
            await asyncio.sleep(next(retries))

    async def _hold(self, server: str) -> None:
        """One connection, from its start to its end. Raises BrokerUnavailable."""
        client = Client(self._broker, self._received, self._deny)
        self._was_connected = False
        try:
            await self._open(client, server)
            self._was_connected = True
            self._client, self.failure = client, None
            log.info("bus_connected", server=server)
            while not client.ended.done():
                await asyncio.wait((client.ended,), timeout=PING_INTERVAL)
                if not client.ended.done():
                    await client.ping(PING_DEADLINE)
            raise BrokerUnavailable(client.ended.result())
        finally:
            client.abort()
            if self._client is not None:
                self._client, self.dropped = None, 0
                self._denied.clear()

    async def _open(self, client: Client, server: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await client.open(f"nats://{server}", self._name, CONNECT_DEADLINE)
                await client.hear(self._subjects)
                await client.ping(CONNECT_DEADLINE)
        except TimeoutError:
            raise BrokerUnavailable(f"no answer for {CONNECT_DEADLINE:g} s") from None

    def _deny(self, what: str) -> None:
        if what not in self._denied and len(self._denied) < MAX_DENIED:  # a broker says it for each message
            self._denied.add(what)
            log.error("bus_permission_missing", error=what)

    def _report(self, server: str, error: BrokerUnavailable) -> None:
        """Log the first failure of an outage, and the first refusal, loudly; repeats at debug."""
        refused = isinstance(error, BrokerRefused)
        is_new = self.failure is None or (refused and not isinstance(self.failure, BrokerRefused))
        if is_new or refused:
            self.failure = error
        level = logging.DEBUG if not is_new else logging.ERROR if refused else logging.WARNING
        log.log(level, "bus_down", server=server, error=str(error))
