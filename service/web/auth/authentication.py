"""Who is asking: the two headers, the address, and a login."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache

from aiohttp import web
from multidict import istr

from service.credentials import is_token, token_hash
from service.db import tokens
from service.domain.models import Person
from service.domain.networks import Address, address_of, network
from service.errors import DirectoryUnavailable, NotFound
from service.settings import Network
from service.web.app_keys import ACTIVITY, CHANGE_LISTENER, DATABASE, DIRECTORY, SETTINGS
from service.web.auth.login_throttle import LOGIN_THROTTLE
from service.web.http.errors import Forbidden, LoginFailed, TokenMissing, TokenWrong
from service.web.http.handlers import Handler, SyncHandler
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.http.rate_limit import RATE_LIMIT

ForPerson = Callable[[web.Request, Person], PrebuiltResponse]
TOKEN_HEADER, UID_HEADER = istr("X-Auth-Token"), istr("X-User-Id")


def presented_token(request: web.Request) -> str:
    """The token as it came. Raises TokenMissing."""
    token = request.headers.get(TOKEN_HEADER)
    if not token:
        raise TokenMissing
    return token


def hash_of(token: str) -> bytes:
    """The hash of a token from outside. Raises TokenWrong for what can be no token."""
    if not is_token(token):
        raise TokenWrong
    return token_hash(token)


def known_holder(request: web.Request, hash_: bytes) -> Person | None:
    """Whose token this is; None: nobody here has heard of it, but PostgreSQL may have, a moment ago.

    Raises TokenWrong for one that is known to have ended. Raises DirectoryUnavailable when memory may not answer, and
    when it is too old to say that there is no such token.
    """
    directory = request.app[DIRECTORY]
    person = directory.holder(hash_)
    if person is None:
        if directory.has_ended(hash_):
            raise TokenWrong
        if directory.overdue > 0:
            raise DirectoryUnavailable("PostgreSQL cannot be followed: another replica may have issued this token")
    return person


async def holder(request: web.Request, hash_: bytes) -> Person:
    """Whose token this is. Raises TokenWrong, DirectoryUnavailable, Overloaded.

    A token that another replica issued a moment ago may not be known here yet: before it is refused, everything that
    was committed by now has been read. All who wait for that wait together.
    """
    person = known_holder(request, hash_)
    if person is None:
        directory = request.app[DIRECTORY]
        await request.app[CHANGE_LISTENER].proved(known=lambda: directory.knows(hash_))
        person = directory.holder(hash_)
    if person is None:
        raise TokenWrong
    return person


def known_caller(request: web.Request) -> Person | None:
    """`caller`, if that needs no look into PostgreSQL; else None, and nothing was counted."""
    hash_, uid = _presented(request)
    person = known_holder(request, hash_)
    return None if person is None else _checked(request, hash_, person, uid)


async def caller(request: web.Request) -> Person:
    """Who asks in the `/api/v1` family: token and `X-User-Id` must be the same person's."""
    hash_, uid = _presented(request)
    return _checked(request, hash_, await holder(request, hash_), uid)


def by_caller(answer: ForPerson) -> Handler:
    """The handler of a call that waits for nothing but to know who asks."""

    async def handler(request: web.Request) -> PrebuiltResponse:
        return answer(request, await caller(request))

    return handler


def by_known_caller(answer: ForPerson) -> SyncHandler:
    """The same call, for whoever is known here."""

    def sync_handler(request: web.Request) -> PrebuiltResponse | None:
        person = known_caller(request)
        return None if person is None else answer(request, person)

    return sync_handler


def _presented(request: web.Request) -> tuple[bytes, str]:
    """The token's hash and the uid. Raises TokenMissing, TokenWrong."""
    token, uid = presented_token(request), request.headers.get(UID_HEADER)
    if not uid:
        raise TokenMissing
    return hash_of(token), uid


def _checked(request: web.Request, hash_: bytes, person: Person, uid: str) -> Person:
    if person.uid != uid:
        raise TokenWrong
    _count(request, hash_, person)
    return person


async def admin(request: web.Request) -> Person:
    """Who asks in the `/user` family: an admin's token. Raises Forbidden for anybody else's."""
    hash_ = hash_of(presented_token(request))
    person = await holder(request, hash_)
    _count(request, hash_, person)
    if not person.is_admin:
        raise Forbidden
    return person


async def logged_in(
    request: web.Request, name: str, password: str, lifetime: timedelta, label: str
) -> tuple[Person, str, datetime]:
    """Who this is, a new token of theirs, which this process knows already, and when it ends. Their oldest may end.

    Raises LoginFailed, TooManyRequests, Unavailable.
    """
    person = await request.app[LOGIN_THROTTLE].check(name, password, address(request))
    database, most = request.app[DATABASE], request.app[SETTINGS].tokens_per_person
    try:
        token, expires_at = await tokens.issue_to_login(database, person.user_id, lifetime, label, most)
    except NotFound:  # deleted or deactivated at this very moment
        raise LoginFailed from None
    await request.app[CHANGE_LISTENER].refresh(f"token {token_hash(token).hex()}", within=1.0)
    return person, token, expires_at


def _count(request: web.Request, hash_: bytes, person: Person) -> None:
    app = request.app
    app[RATE_LIMIT].request(hash_)
    app[ACTIVITY].used(person.user_id)


def address(request: web.Request) -> str:
    """The client's address: the peer's, or what trusted proxies say is behind them, nearest first.

    What a proxy passes on that is no address is not believed: then the proxy's own counts. The header `Forwarded` is
    never read: a proxy that does not write it passes a client's on.
    """
    networks = tuple(request.app[SETTINGS].trusted_proxies)
    lines = request.headers.getall("X-Forwarded-For", [])
    hops = [hop for line in lines for hop in line.split(",") if hop.strip(" \t")]
    seen = address_of(request.remote or "")
    while hops and seen is not None and _trusted(seen, networks) and (behind := address_of(hops.pop())) is not None:
        seen = behind
    return str(seen) if seen is not None else request.remote or "unknown"


@lru_cache(maxsize=1024)
def _trusted(hop: Address, trusted: tuple[Network, ...]) -> bool:
    return any(hop in network(str(each)) for each in trusted)
