"""The client's address, from the connection and trusted proxies."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web

from service.domain import networks
from service.domain.networks import address_of
from service.settings import Network
from service.web.http.polled_request import FORWARDED_FOR, PolledRequest

CACHED, LONGEST_CACHED = 4_096, 100
"""Number of addresses in the cache, and characters of the longest header: a pollers' address is the same each time."""


class ClientAddresses:
    """The addresses of requests; one per process.

    The client's is the peer's, or the one that trusted proxies report in `X-Forwarded-For`, nearest first. If a proxy
    reports something that is not an address, its own address counts. `Forwarded` is never read: a proxy that does not
    write it passes on the client's.
    """

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(networks.network(str(each)) for each in trusted)
        self._cached = lru_cache(CACHED)(self._find)

    def of(self, request: PolledRequest) -> str:
        """The client's address; `unknown` without one."""
        peer, forwarded = request.remote or "unknown", request.headers.get(FORWARDED_FOR)
        if forwarded is None:
            return self._cached(peer, "")
        if isinstance(request, web.Request):  # it may have the header several times
            forwarded = ",".join(request.headers.getall(FORWARDED_FOR))
        return (self._cached if len(forwarded) <= LONGEST_CACHED else self._find)(peer, forwarded)

    def source_of(self, request: PolledRequest) -> str:
        """The prefix that counts as one source: an IPv4 address, or an IPv6 /64."""
        return _prefix(self.of(request))

    def _find(self, peer: str, forwarded: str) -> str:
        hops = [hop for hop in forwarded.split(",") if hop.strip(" \t")]
        nearest = address_of(peer)
        while hops and nearest is not None and any(nearest in network for network in self._trusted):
            reported = address_of(hops.pop())
            if reported is None:
                break
            nearest = reported
        return str(nearest) if nearest is not None else peer


_prefix = lru_cache(CACHED)(networks.prefix)

CLIENT_ADDRESSES = web.AppKey("client_addresses", ClientAddresses)
