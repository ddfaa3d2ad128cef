"""Who may see what the service is made of, and how it fares: whoever is on this machine, and admins.

Strangers learn from `/readyz` whether it answers, as proxies must, and not why.
"""

from __future__ import annotations

from functools import lru_cache

from aiohttp import web

from service.domain.networks import address_of
from service.errors import Unavailable
from service.web.auth.authentication import hash_of, known_holder, presented_token
from service.web.http.errors import Forbidden, RequestError, TokenWrong

FORWARDED = (
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server"),
    *("Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Via"),
)
"""Headers with which a proxy on this machine says that somebody else asks, whether it is a trusted one or not. One that
adds none of them cannot be told from a program here."""


def demand(request: web.Request) -> None:
    """Costs no query, whatever token is tried. Raises TokenMissing, TokenWrong, Forbidden, DirectoryUnavailable."""
    if _is_loopback(request.remote or "") and not any(name in request.headers for name in FORWARDED):
        return
    person = known_holder(request, hash_of(presented_token(request)))
    if person is None:
        raise TokenWrong
    if not person.is_admin:
        raise Forbidden


def may_see(request: web.Request) -> bool:
    """The same where others get a shorter answer."""
    try:
        demand(request)
    except (RequestError, Unavailable):
        return False
    return True


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    found = address_of(address)
    return found is not None and found.is_loopback
