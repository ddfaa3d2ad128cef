"""The connection of an account that requests use: opened at the start, kept, watched, and replaced when it ends.

A login per request would fail whenever Asterisk accepts no new connection; 50 idle connections cause that. A collector
works for many replicas, and may rest: it ends a connection that nothing uses, and opens it again for the next use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, AmiClient
from service.ami.connection import NullEvents, connect
from service.ami.diagnostics.privileges import check_write_class
from service.ami.event_waits import is_set_within
from service.ami.link_failures import classify_failure, is_refusal
from service.ami.protocol import NoAnswer
from service.backoff import delays
from service.clock import uptime
from service.domain.custom_presence import Presence
from service.domain.status.facts import LinkFailure
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

USE_DEADLINE = 10.0
"""Seconds that a use may take, with opening the connection and with the one retry."""
OPEN_DEADLINE = 5.0
"""Seconds that a use waits for the connection to open."""
MIN_ATTEMPT_INTERVAL = 0.5
"""Minimum seconds between two logins, however many uses ask for one."""
REFUSED_DELAY = 30.0
"""Minimum seconds until the next login after a refusal, which only an operator can fix."""


class KeptConnection(NullEvents):
    """One account's connection to one call server. `run` never returns.

    `report_refusal` is called with the kind of account and why it is refused, None once it is accepted. A connection
    that was not used for `idle_after` seconds is ended; None: it is kept.
    """

    def __init__(
        self,
        call_server: str,
        kind: str,
        account: Account,
        *,
        deadline: float,
        report_refusal: Callable[[str, str | None], None],
        idle_after: float | None = None,
        clock: Callable[[], float] = uptime,
        delays: Callable[[], Iterator[float]] = delays,
    ) -> None:
        self.call_server = call_server
        self.since = datetime.now(UTC)
        """Time of the last change of `connected`."""
        self.why_down: str | None = None
        """The last failure, in words; None while connected, and before the first attempt has ended."""
        self.failure: LinkFailure | None = None
        self.remedy: str | None = None
        self.opened = 0
        """Connections opened since the start, each with one login."""
        self._kind = kind
        self._account = account
        self._deadline = deadline
        self._report_refusal = report_refusal
        self._idle_after = idle_after
        self._clock = clock
        self._delays = delays
        self._attempt_began = float("-inf")
        self._client: AmiClient | None = None
        self._unanswering: AmiClient | None = None  # the last one that a use has ended
        self._refusal: CallServerUnavailable | None = None
        self._waiting = 0  # uses that wait for the connection
        self._uses = 0  # under way
        self._used_at = float("-inf")
        self._resting = self._retry = False  # `_retry`: an attempt is asked for while resting
        self._wake = asyncio.Event()  # set by the end of a connection, and by a use that needs one
        self._next: asyncio.Future[AmiClient] = asyncio.get_running_loop().create_future()  # the next attempt's result
        self._log = log.bind(call_server=call_server)

    @property
    def connected(self) -> bool:
        """Whether the connection is open, or rests, and the account may do what it is for."""
        return self._resting or (self._client is not None and self._client.why_ended is None)

    # --- for requests ----------------------------------------------------------------------------------------

    async def use(self, work: Callable[[AmiClient], Awaitable[T]]) -> T:
        """Run idempotent `work` with the connection; retry it once if the connection ends meanwhile.

        Raises CallServerUnavailable and what `work` raises. After a failure the work may have been done nevertheless,
        or may still be: Asterisk keeps what it has received and not read yet.
        """
        self._uses += 1
        try:
            async with asyncio.timeout(USE_DEADLINE):
                client = await self._current()
                try:
                    return await self._run(work, client)
                except CallServerUnavailable:
                    # No retry if Asterisk has answered, and none if it does not answer.
                    if client.why_ended is None or client is self._unanswering:
                        raise
                return await self._run(work, await self._current())
        except TimeoutError:
            raise NoAnswer(f"not done within {USE_DEADLINE:g} s") from None
        finally:
            self._uses -= 1
            self._used_at = self._clock()

    async def set_presence(self, presence_id: str, presence: Presence) -> None:
        """Set a custom presence. Raises CallServerUnavailable; see `use`."""
        await self.use(lambda client: client.set_presence(presence_id, presence))

    async def _run(self, work: Callable[[AmiClient], Awaitable[T]], client: AmiClient) -> T:
        """Run `work`, and end a connection that does not answer."""
        try:
            return await work(client)
        except NoAnswer as error:
            self._unanswering = client
            client.end(str(error))
            raise

    async def _current(self) -> AmiClient:
        """The open connection; concurrent callers share one login."""
        if self._client is not None and self._client.why_ended is None:
            return self._client
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        self._waiting += 1
        self._wake.set()
        try:
            async with asyncio.timeout(OPEN_DEADLINE):
                return await asyncio.shield(self._next)
        except TimeoutError:
            raise CallServerUnavailable(self.why_down or f"no connection within {OPEN_DEADLINE:g} s") from None
        finally:
            self._waiting -= 1

    def retry_now(self) -> None:
        """Try to connect at once, unless the account is refused: Asterisk is back."""
        self._retry = True
        self._wake.set()

    # --- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the connection open until cancelled."""
        retry_delays = self._delays()
        try:
            while True:
                opened = self.opened
                self._attempt_began = self._clock()
                try:
                    await self._session()
                except CallServerUnavailable as error:
                    self._fail(error)
                if self.opened > opened:
                    retry_delays = self._delays()
                if self._resting:
                    await self._rest()
                else:
                    await self._wait_for_retry(next(retry_delays))
        finally:
            self._settle(CallServerUnavailable("the service is stopping"))

    async def _session(self) -> None:
        """Connect, log in, then ping until the connection ends, which raises CallServerUnavailable, or is idle."""
        async with connect(self._account, self, events=False) as client:
            await _require_write_class(self._kind, self._account.username, client)
            self._open(client)
            while not self._is_idle():
                self._wake.clear()
                await client.ping(self._deadline)
                await is_set_within(self._deadline / 4, self._wake)
            self._client, self._resting, self._retry = None, True, False  # before the end: a use opens another one

    def _is_idle(self) -> bool:
        return self._idle_after is not None and not self._uses and self._clock() - self._used_at > self._idle_after

    async def _rest(self) -> None:
        """Wait until a use needs a connection, or an attempt is asked for."""
        while not self._waiting and not self._retry:
            self._wake.clear()
            await self._wake.wait()
        await self._keep_interval()

    def _open(self, client: AmiClient) -> None:
        was_resting, self._resting = self._resting, False
        self._client = client
        self._used_at = self._clock()
        self.opened += 1
        if not was_resting:
            self.since = datetime.now(UTC)
        self.why_down = self.failure = self.remedy = None
        self._settle(client)
        self._report_refusal(self._kind, None)
        self._log.log(logging.DEBUG if was_resting else logging.INFO, "presence_connection_live")

    def _fail(self, error: CallServerUnavailable) -> None:
        """Report the first failure of an outage, and each new reason of a refusal, loudly; repeats at debug."""
        is_new = self.why_down is None
        was_open, was_resting = self._client is not None, self._resting
        self._client, self._resting = None, False
        if was_open or was_resting:
            self.since = datetime.now(UTC)
        self.why_down = str(error)
        self.failure, self.remedy = classify_failure(error)
        if is_refusal(error):
            self._refusal = error
            self._report_refusal(self._kind, str(error))
        else:
            level = logging.WARNING if is_new else logging.DEBUG
            self._log.log(level, "presence_connection_down", error=str(error))
        if not was_open:  # else those who wait want the next attempt
            self._settle(error)

    def _settle(self, result: AmiClient | CallServerUnavailable) -> None:
        """Give the uses that wait the result of the attempt."""
        settled, self._next = self._next, asyncio.get_running_loop().create_future()
        if isinstance(result, AmiClient):
            settled.set_result(result)
        else:
            settled.set_exception(result)
            settled.exception()  # mark it retrieved: nobody may wait

    async def _wait_for_retry(self, delay: float) -> None:
        """Wait until the next attempt is due. A use makes it due at once, except after a refusal."""
        if self._refusal is not None:
            await asyncio.sleep(max(delay, REFUSED_DELAY))
            self._refusal = None
            return
        self._wake.clear()
        if not self._waiting:
            await is_set_within(delay, self._wake)
        await self._keep_interval()

    async def _keep_interval(self) -> None:
        await asyncio.sleep(max(0.0, self._attempt_began + MIN_ATTEMPT_INTERVAL - self._clock()))

    def on_connection_lost(self, why: str) -> None:
        """Notice at once that the connection has ended."""
        self._wake.set()


async def _require_write_class(kind: str, username: str, client: AmiClient) -> None:
    """Raise ActionNotPermitted if the account lacks the write class that it needs."""
    finding = await check_write_class("", kind, username, client)
    if finding.fails and finding.otherwise is None:
        raise ActionNotPermitted(f"{finding.what}: {finding.remedy}")
