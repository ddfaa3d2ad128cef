"""Whether an Asterisk sees an endpoint whose SIP password was just encrypted: it may lack the key."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

from service.ami.accounts import Account
from service.ami.client import AmiClient
from service.ami.connection import NullEvents, connect
from service.settings import CallServer


class VisibleEndpoints:
    """Asks over a connection of the account `monitor`. Every method raises CallServerUnavailable."""

    def __init__(self, client: AmiClient) -> None:
        self._client = client

    async def sees(self, endpoint: str) -> bool:
        """Return whether Asterisk sees the endpoint: it refuses to qualify one that it does not see."""
        return await self._client.qualify(endpoint)

    async def find(self, endpoints: Iterable[str]) -> str | None:
        """Return an endpoint that Asterisk sees, if possible one without a registered phone; None if it sees none."""
        visible = None
        for endpoint in endpoints:
            if await self.sees(endpoint):
                visible = visible or endpoint
                if await self._client.contact_ids(endpoint) == []:
                    return endpoint
        return visible


@contextlib.asynccontextmanager
async def visible_endpoints(server: CallServer) -> AsyncIterator[VisibleEndpoints]:
    """Connect to an Asterisk. Raises CallServerUnavailable."""
    async with connect(Account.monitor(server), NullEvents()) as client:
        yield VisibleEndpoints(client)
