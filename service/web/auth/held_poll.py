"""What every long poll has while it is held: a place in its person's quota, an end with its token, and a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from service.credentials import token_hash
from service.domain.models import Person
from service.domain.session_watch import SessionWatch
from service.web.app_keys import LONG_POLL_QUOTA, SESSION_WATCH
from service.web.auth.authentication import presented_token
from service.web.server.held_request import Waiter, while_connected


class HeldPoll:
    """One long poll. Call `wait` repeatedly until it returns False."""

    def __init__(self, watch: SessionWatch, token: bytes, person: Person, waiter: Waiter, wait: float) -> None:
        self._watch, self._token, self._access = watch, token, person.access
        self._waiter = waiter
        self._deadline = asyncio.get_running_loop().time() + wait

    @property
    def has_access(self) -> bool:
        """Whether the caller's token is valid, its scope and their role unchanged."""
        return self._watch.valid(self._token, self._access)

    async def wait(self) -> bool:
        """Wait for news. False without waiting if the time is up or the poll has to end."""
        remaining = self._deadline - asyncio.get_running_loop().time()
        if self._waiter.ended or remaining <= 0:
            return False
        await self._waiter.wait(remaining)
        return True


@contextmanager
def held_poll(request: web.Request, person: Person, waiter: Waiter, wait: float) -> Iterator[HeldPoll]:
    """Hold a request for at most `wait` seconds. `waiter` hears of its end. Raises Overloaded."""
    app, token = request.app, token_hash(presented_token(request))
    quota = app[LONG_POLL_QUOTA].holding(person.user_id, waiter.end)
    session = app[SESSION_WATCH].holding(token, person.access, waiter.end)
    with quota, session, while_connected(request, waiter.end):
        yield HeldPoll(app[SESSION_WATCH], token, person, waiter, wait)
