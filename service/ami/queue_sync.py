"""Keeps one call server's queues: one `QueueStatus` for all, then events; a new list soon after what no event tells.

No event tells (measured on 22.10 and 16.28) the averages, after a call left a queue or ended; nor what `queue reload`
brought or took, as it sends no `Reload` event, which `module reload app_queue.so` does. A new queue or member shows by
its device, `Queue:…`; one that `queue reload` took is found gone by the link's next regular list.

Nobody is told which events an account may hear, and `QueueStatus` needs no class at all. So an account without read
class `agent` would get one good picture that then grows old. Therefore, until the first queue event is heard, the list
is taken again every second; and when it changed without an event, the queues are not known.
"""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic

import structlog
from panoramisk.message import Message

from service.ami.client import AmiClient
from service.ami.protocol import text
from service.ami.queue_parsing import parse_member
from service.domain.queues import Queues
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

PAUSE = 1.0
"""Seconds between what makes a list worth taking and taking it: there is at most one list in that time."""
SHARE = 20
"""A list that takes long is taken more seldom: between two of them passes so many times what one took, or RETRY."""
RETRY = 30.0
"""Seconds until a list is asked for again that could not be had: somebody may have loaded `app_queue`."""
DEVICES = "Queue:"
"""What the names of the devices begin with that `app_queue` provides."""
MEMBER_EVENTS = ("QueueMemberAdded", "QueueMemberStatus", "QueueMemberPause")
"""The events after which a member may be shown otherwise; those of penalty and ringinuse change nothing here."""


class QueueSync:
    """Follows the queues of one call server. What is not `async` never waits."""

    def __init__(self, call_server: str, deadline: float) -> None:
        self.queues = Queues()
        self._deadline = deadline
        self._due = asyncio.Event()
        self._heard = False  # whether this link hears queue events at all
        self._suspicious = False  # whether a list changed without one
        self._refused: str | None = None
        self._log = log.bind(call_server=call_server)

    # --- what the link says ------------------------------------------------------------------------------------

    def doubt(self) -> None:
        """A list is due."""
        self._due.set()

    def lost(self) -> None:
        """The link is gone, and with it all knowledge."""
        self.queues.lost()
        self._heard = self._suspicious = False
        self._due.clear()

    def event(self, name: str, message: Message) -> None:
        """An event that is nobody else's. Call it in the order in which events are read."""
        queue = text(message, "Queue")
        if name in MEMBER_EVENTS:
            member = parse_member(message, text(message, "Interface"))
            if not self.queues.has_member(queue, member.interface):
                self.doubt()
            self.queues.member(queue, member)
        elif name == "QueueMemberRemoved":
            self.queues.member_gone(queue, text(message, "Interface"))
        elif name == "QueueCallerJoin":
            self.queues.caller_joined(queue, text(message, "Uniqueid"))
        elif name == "QueueCallerLeave":
            self.queues.caller_left(queue, text(message, "Uniqueid"))
            self.doubt()  # somebody answered, so the average of waiting is another
        elif name == "AgentComplete":
            self.doubt()  # and here that of talking
        else:
            return
        self._heard = True
        if queue not in self.queues:
            self.doubt()

    # --- the loop ----------------------------------------------------------------------------------------------

    async def run(self, connection: AmiClient) -> None:
        """Work for one connection, until it ends. Raises CallServerUnavailable then."""
        await self._due.wait()
        while True:
            self._due.clear()
            began = monotonic()
            try:
                await self._read(connection)
            except CallServerUnavailable as error:
                if connection.why_ended is not None:
                    raise
                self._not_known(f"there is no list: {error}")
            await self._until_due(min(max(PAUSE, SHARE * (monotonic() - began)), RETRY))

    async def _until_due(self, pause: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if self.queues.known else RETRY):
                await self._due.wait()
        await asyncio.sleep(pause)

    async def _read(self, connection: AmiClient) -> None:
        """The snapshot rule: see `service.domain.device_states`."""
        self.queues.begin_snapshot()
        listed = await connection.queues()
        await connection.ping(self._deadline)
        if not self._heard and self._suspicious:
            self._not_known("no event tells: the account lacks read class `agent`, or its eventfilter the queue events")
            return
        self._suspicious = not self._heard and self.queues.known and self.queues.differs(listed)
        if not self.queues.known:
            self._log.info("queues_available", queues=len(listed.averages))
        self._refused = None
        self.queues.end_snapshot(listed)
        if self.queues and not self._heard:
            self.doubt()

    def _not_known(self, why: str) -> None:
        self.queues.lost()
        if why != self._refused:
            self._log.warning("queues_unavailable", error=why)
        self._refused = why
