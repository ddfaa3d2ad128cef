"""The client's address, from the connection and trusted proxies."""

from __future__ import annotations

from functools import lru_cache

from aiohttp import web

from service.domain.networks import Address, address_of, network
from service.settings import Network
from service.web.app_keys import SETTINGS


def client_address(request: web.Request) -> str:
    """The client's address: the peer's, or the one that trusted proxies report in `X-Forwarded-For`, nearest first.

    If a proxy reports something that is not an address, its own address counts. `Forwarded` is never read: a proxy that
    does not write it passes on the client's.
    """
    networks = tuple(request.app[SETTINGS].trusted_proxies)
    lines = request.headers.getall("X-Forwarded-For", [])
    hops = [hop for line in lines for hop in line.split(",") if hop.strip(" \t")]
    nearest = address_of(request.remote or "")
    while hops and nearest is not None and _is_trusted(nearest, networks):
        reported = address_of(hops.pop())
        if reported is None:
            break
        nearest = reported
    return str(nearest) if nearest is not None else request.remote or "unknown"


@lru_cache(maxsize=1024)
def _is_trusted(hop: Address, trusted: tuple[Network, ...]) -> bool:
    return any(hop in network(str(each)) for each in trusted)
