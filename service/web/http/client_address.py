"""The client's address, from the connection and trusted proxies."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from service.domain import networks
from service.domain.networks import address_of, prefix
from service.settings import Network
from service.web.http.polled_request import FORWARDED_FOR, PolledRequest

MAX_CACHED, LONGEST_CACHED = 50_000, 100
"""Number of addresses in the cache, and characters of the longest header: each phone has the same address each time."""


class ClientAddresses:
    """The addresses of requests; one per process.

    The client's is the peer's, or the one that trusted proxies report in `X-Forwarded-For`, nearest first. If a proxy
    reports something that is not an address, its own address counts. `Forwarded` is never read: a proxy that does not
    write it passes on the client's.
    """

    def __init__(self, trusted: Iterable[Network]) -> None:
        self._trusted = tuple(networks.network(str(each)) for each in trusted)
        self._sources: dict[tuple[str | None, str | None], str] = {}

    def of(self, request: PolledRequest) -> str:
        """The client's address; `unknown` without one."""
        forwarded = request.headers.get(FORWARDED_FOR)
        if forwarded is not None and isinstance(request, web.Request):  # it may have the header several times
            forwarded = ",".join(request.headers.getall(FORWARDED_FOR))
        return self._find(request.remote or "unknown", forwarded or "")

    def source_of(self, request: PolledRequest) -> str:
        """The prefix that counts as one source: an IPv4 address, or an IPv6 /64. Polls ask for it, so it is cached."""
        peer, forwarded = request.remote, request.headers.get(FORWARDED_FOR)
        if forwarded is not None and isinstance(request, web.Request):
            return prefix(self.of(request))
        source = self._sources.get((peer, forwarded))
        if source is None:
            source = prefix(self._find(peer or "unknown", forwarded or ""))
            if forwarded is None or len(forwarded) <= LONGEST_CACHED:
                if len(self._sources) >= MAX_CACHED:
                    self._sources.clear()
                self._sources[peer, forwarded] = source
        return source

    def trusts(self, peer: str) -> bool:
        """Whether this peer is a trusted proxy."""
        address = address_of(peer)
        return address is not None and any(address in network for network in self._trusted)

    def _find(self, peer: str, forwarded: str) -> str:
        hops = [hop for hop in forwarded.split(",") if hop.strip(" \t")]
        nearest = address_of(peer)
        while hops and nearest is not None and any(nearest in network for network in self._trusted):
            reported = address_of(hops.pop())
            if reported is None:
                break
            nearest = reported
        return str(nearest) if nearest is not None else peer


CLIENT_ADDRESSES = web.AppKey("client_addresses", ClientAddresses)
