"""Keeps one call server's queues: one `QueueStatus` for all, then events, and a new list after unreported changes.

No event (measured on 22.10 and 16.28) reports the averages after a call left a queue or ended, or what `queue reload`
added or removed: it sends no `Reload` event, unlike `module reload app_queue.so`. A new queue or member appears through
its device, `Queue:…`; one that `queue reload` removed is found by the link's next routine list.

An account cannot find out which events it receives, and `QueueStatus` needs no class. An account without read class
`agent` would therefore get one good snapshot that then grows old. Until the first queue event arrives, the list is
taken every second; if it changed without an event, the queues count as unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from time import monotonic, time

import structlog
from panoramisk.message import Message

from service.ami.actions import header_text
from service.ami.client import AmiClient
from service.ami.protocol import NoAnswer
from service.ami.queue_parsing import parse_caller, parse_member
from service.domain.queues import Queues
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

MIN_LIST_INTERVAL = 1.0
"""Minimum seconds between two lists."""
LIST_DUTY_FACTOR = 20
"""The interval after a slow list: this many times its duration, at most MAX_LIST_INTERVAL."""
MAX_LIST_INTERVAL = 10.0
"""The same in seconds. What no event tells is as old as the list before, until then."""
RETRY_DELAY = 30.0
"""Seconds until the list is retried after Asterisk has refused it: `app_queue` may have been loaded. After an answer
that did not come they are MIN_LIST_INTERVAL, and double each time, at most to this: Asterisk was busy, or stopped."""
MEMBER_EVENTS = ("QueueMemberAdded", "QueueMemberStatus", "QueueMemberPause", "QueueMemberPenalty")
"""The events that may change a published member; a change of ringinuse is not published."""


class QueueSync:
    """Keeps the queues of one call server. Methods that are not `async` never block.

    `changed` is called when the queues may have changed, and must not wait.
    """

    def __init__(
        self, call_server: str, queues: Queues, deadline: float, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.queues = queues
        self._deadline = deadline
        self._changed = changed
        self._list_due = asyncio.Event()
        self._receives_events = False  # whether a queue event has arrived
        self._changed_silently = False  # whether a list changed without an event
        self._reported_problem: str | None = None
        self._log = log.bind(call_server=call_server)

    # --- input from the link -----------------------------------------------------------------------------------

    def request_list(self) -> None:
        """Take a new list soon."""
        self._list_due.set()

    def lost(self) -> None:
        """Clear all: the link is down."""
        self.queues.lost()
        self._receives_events = self._changed_silently = False
        self._list_due.clear()
        self._changed()

    def on_event(self, name: str, message: Message) -> None:
        """Apply an event if it concerns queues. Call it in the order read."""
        queue = header_text(message, "Queue")
        if name in MEMBER_EVENTS:
            member = parse_member(message, header_text(message, "Interface"))
            if not self.queues.has_member(queue, member.interface):
                self.request_list()
            self.queues.member(queue, member)
        elif name == "QueueMemberRemoved":
            self.queues.member_gone(queue, header_text(message, "Interface"))
        elif name == "QueueCallerJoin":
            self.queues.caller_joined(queue, header_text(message, "Uniqueid"), parse_caller(message, time()))
        elif name == "QueueCallerLeave":
            self.queues.caller_left(queue, header_text(message, "Uniqueid"))
            self.request_list()  # the average waiting time may have changed
        elif name == "AgentComplete":
            self.request_list()  # the average talk time has changed
        else:
            return
        self._receives_events = True
        if queue not in self.queues:
            self.request_list()
        self._changed()

    # --- the loop ----------------------------------------------------------------------------------------------

    async def run(self, connection: AmiClient) -> None:
        """Keep the queues over one connection until it ends. Raises CallServerUnavailable then."""
        await self._list_due.wait()
        retry_delay = MIN_LIST_INTERVAL
        while True:
            self._list_due.clear()
            started_at = monotonic()
            try:
                await self._take_list(connection)
            except CallServerUnavailable as error:
                if connection.why_ended is not None:
                    raise
                self._set_unknown(f"there is no list: {error}")
                if isinstance(error, NoAnswer):
                    await asyncio.sleep(retry_delay)
                    retry_delay = min(2 * retry_delay, RETRY_DELAY)
                    continue
            retry_delay = MIN_LIST_INTERVAL
            interval = LIST_DUTY_FACTOR * (monotonic() - started_at)
            await self._wait_until_due(min(max(MIN_LIST_INTERVAL, interval), MAX_LIST_INTERVAL))

    async def _wait_until_due(self, interval: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self.queues.known else RETRY_DELAY):
                await self._list_due.wait()
        await asyncio.sleep(interval)

    async def _take_list(self, connection: AmiClient) -> None:
        """Take a list, by the snapshot rule of `service.domain.device_states`."""
        self.queues.begin_snapshot()
        listed = await connection.queues()
        await connection.ping(self._deadline)
        if not self._receives_events and self._changed_silently:
            self._set_unknown(
                "no event tells: the account lacks read class `agent`, or its eventfilter the queue events"
            )
            return
        self._changed_silently = not self._receives_events and self.queues.known and self.queues.differs(listed)
        if not self.queues.known:
            self._log.info("queues_available", queues=len(listed.averages))
        self._reported_problem = None
        self.queues.end_snapshot(listed)
        self._changed()
        if self.queues and not self._receives_events:
            self.request_list()

    def _set_unknown(self, why: str) -> None:
        self.queues.lost()
        self._changed()
        if why != self._reported_problem:
            self._log.warning("queues_unavailable", error=why)
        self._reported_problem = why
