"""Access to metrics and readiness details: programs on this machine, and admins.

Everybody else gets from `/readyz` only the status, which proxies need.
"""

from __future__ import annotations

from aiohttp import web

from service.domain.networks import address_of, is_loopback
from service.errors import Unavailable
from service.web.auth.authentication import holder_from_memory, parse_token_hash, presented_token
from service.web.http.errors import Forbidden, RequestError, TokenWrong

PROXY_HEADERS = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server"),
    *("Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Via"),
)
"""Headers by which a proxy on this machine, trusted or not, shows that the client is elsewhere. A proxy that adds none
of them cannot be distinguished from a local program."""


def require_operator(request: web.Request) -> None:
    """Runs no query, whatever the token. Raises TokenMissing, TokenWrong, Forbidden, DirectoryUnavailable."""
    headers = request.headers
    if (
        is_loopback(request.remote or "")
        and not any(name in headers for name in PROXY_HEADERS)
        and _is_local_host(headers.get("Host", ""))
    ):
        return
    person = holder_from_memory(request, parse_token_hash(presented_token(request)))
    if person is None:
        raise TokenWrong
    if not person.is_admin:
        raise Forbidden


def _is_local_host(host: str) -> bool:
    """Whether a request with this `Host` can be a local program's: an address, or a name without a domain.

    A page of any site can have its own name resolved to this machine (DNS rebinding), and then read what a local
    program may. Its browser sends that name.
    """
    name = host.rpartition(":")[0] or host
    return address_of(host) is not None or "." not in name or name.endswith(".localhost")


def is_operator(request: web.Request) -> bool:
    """The same as a question, for calls that give others a shorter response."""
    try:
        require_operator(request)
    except (RequestError, Unavailable):
        return False
    return True
