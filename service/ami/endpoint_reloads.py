"""Reloads of endpoints through the optional account `sync`: the one privileged command of the tracker.

It repairs an endpoint that Asterisk does not track although its phone is registered, see `endpoint_tracker`.
"""

from __future__ import annotations

import asyncio

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, AmiClient, AmiLoginRefused
from service.ami.connection import NullEvents, connect
from service.domain.models import PJSIP

RELOAD_INTERVAL = 300.0
"""Minimum seconds between two reloads of one endpoint, unless one of its contacts came or went, or a line was lost."""


RECONNECTED_INTERVAL = 15.0
"""The same for a reload over an earlier connection: Asterisk may have been restarted since."""
REFUSED_INTERVAL = 30.0
"""Seconds without a reload of any endpoint after the account was refused: each login of it is a line in a log that
others act upon, and only an operator can help."""


class EndpointReloads:
    """The reloads of one call server's endpoints. Without an account nothing is reloaded."""

    def __init__(self, account: Account | None) -> None:
        self._account = account
        self._at: dict[str, float] = {}  # by device, seconds of the event loop's clock
        self._connected_at = self._refused_at = float("-inf")

    @property
    def possible(self) -> bool:
        """Whether there is an account to reload with."""
        return self._account is not None

    def connected(self) -> None:
        """Take that the link has another connection."""
        self._connected_at = asyncio.get_running_loop().time()

    def forget(self, device: str) -> None:
        """Permit another reload at once."""
        self._at.pop(device, None)

    async def reload(self, connection: AmiClient, device: str) -> None:
        """Have Asterisk reload the endpoint and its contacts, then qualify them, if that was not done lately.

        Raises CallServerUnavailable, AmiLoginRefused and ActionNotPermitted.
        """
        now = asyncio.get_running_loop().time()
        done_at = self._at.get(device, float("-inf"))
        interval = RELOAD_INTERVAL if done_at > self._connected_at else RECONNECTED_INTERVAL
        if self._account is None or now <= max(done_at + interval, self._refused_at + REFUSED_INTERVAL):
            return
        self._at[device] = now
        endpoint = device[len(PJSIP) :]
        done = False
        try:
            async with connect(self._account, NullEvents()) as sync:
                await sync.command(f"pjsip reload qualify endpoint {endpoint}")
            await connection.qualify(endpoint)
            done = True
        except (AmiLoginRefused, ActionNotPermitted):
            self._refused_at = asyncio.get_running_loop().time()
            raise
        finally:
            if not done:  # refused, or a line was lost, which cancels this too: the next attempt comes soon
                self.forget(device)
