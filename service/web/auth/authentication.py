"""Authenticates requests: by the two headers or a login.

A token with the scope `board` is refused, unless a call asks for its caller with `board=True`. Operations say the same
to the description by their field `board`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from aiohttp import web

from service.credentials import is_token, token_hash
from service.db import tokens
from service.domain.models import Person, TokenScope
from service.errors import DirectoryUnavailable, NotFound
from service.web.app_keys import ACTIVITY, CHANGE_LISTENER, DATABASE, DIRECTORY, SETTINGS
from service.web.auth.login_throttle import LOGIN_THROTTLE
from service.web.auth.origin import origin_of
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.errors import Forbidden, LoginFailed, OutOfScope, TokenMissing, TokenWrong, TooManyRequests
from service.web.http.handler_types import Handler, SyncHandler
from service.web.http.polled_request import TOKEN_HEADER, UID_HEADER, PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.http.rate_limit import RATE_LIMIT
from service.web.http.refusals import REFUSALS
from service.web.http.request_id import request_id_of

CallerHandler = Callable[[PolledRequest, Person], PrebuiltResponse]


def presented_token(request: PolledRequest) -> str:
    """The token in the header. Raises TokenMissing."""
    token = request.headers.get(TOKEN_HEADER)
    if not token:
        raise TokenMissing
    return token


def parse_token_hash(token: str) -> bytes:
    """The hash of a presented token. Raises TokenWrong if it is malformed."""
    if not is_token(token):
        raise TokenWrong
    return token_hash(token)


def holder_from_memory(request: PolledRequest, hash_: bytes, *, board: bool = False) -> Person | None:
    """The token's holder according to memory; None if unknown there: PostgreSQL may have it since a moment ago.

    Raises TokenWrong if the token is known to have ended, OutOfScope. Raises DirectoryUnavailable if memory may not
    answer, or is too old to deny that the token exists.
    """
    person = _find_holder(request, hash_)
    return None if person is None else _require_scope(person, board=board)


def _find_holder(request: PolledRequest, hash_: bytes) -> Person | None:
    directory = request.app[DIRECTORY]
    person = directory.token_holder(hash_)
    if person is None:
        if directory.has_ended(hash_):
            raise TokenWrong
        if directory.overdue > 0:
            raise DirectoryUnavailable("PostgreSQL cannot be followed: another replica may have issued this token")
    return person


async def require_holder(request: PolledRequest, hash_: bytes, *, board: bool = False) -> Person:
    """The token's holder. Raises TokenWrong, OutOfScope, DirectoryUnavailable, Overloaded.

    A token that another replica just issued may be unknown here. So before a token is refused, everything committed by
    now is read. Concurrent requests share that read.
    """
    return _require_scope(await _require_any_holder(request, hash_), board=board)


async def _require_any_holder(request: PolledRequest, hash_: bytes) -> Person:
    person = _find_holder(request, hash_)
    if person is None:
        directory = request.app[DIRECTORY]
        await request.app[CHANGE_LISTENER].barrier(known=lambda: directory.knows_token(hash_))
        person = directory.token_holder(hash_)
    if person is None:
        raise TokenWrong
    return person


def caller_from_memory(request: PolledRequest, *, board: bool = False) -> Person | None:
    """`require_caller` without waiting; None if it has to read PostgreSQL, and nothing is counted then."""
    hash_, uid = presented_credentials(request)
    person = _find_holder(request, hash_)
    return None if person is None else _check_caller(request, hash_, person, uid, board=board)


async def require_caller(request: PolledRequest, *, board: bool = False) -> Person:
    """The caller in the `/api/v1` family: token and `X-User-Id` must belong to the same person.

    Raises TokenMissing, TokenWrong, OutOfScope, TooManyRequests, DirectoryUnavailable, Overloaded.
    """
    hash_, uid = presented_credentials(request)
    return _check_caller(request, hash_, await _require_any_holder(request, hash_), uid, board=board)


def handler_for_caller(answer: CallerHandler, *, board: bool = False) -> Handler:
    """Makes a handler from one that waits for nothing but the authentication."""

    async def handler(request: web.Request) -> PrebuiltResponse:
        return answer(request, await require_caller(request, board=board))

    return handler


def sync_handler_for_caller(answer: CallerHandler, *, board: bool = False) -> SyncHandler:
    """The same as a synchronous handler, for callers that memory knows."""

    def sync_handler(request: PolledRequest) -> PrebuiltResponse | None:
        person = caller_from_memory(request, board=board)
        return None if person is None else answer(request, person)

    return sync_handler


def presented_credentials(request: PolledRequest) -> tuple[bytes, str]:
    """The token's hash and the uid in the headers. Raises TokenMissing, TokenWrong."""
    token, uid = request.headers.get(TOKEN_HEADER), request.headers.get(UID_HEADER)
    if not token or not uid:
        raise TokenMissing
    return parse_token_hash(token), uid


def _check_caller(request: PolledRequest, hash_: bytes, person: Person, uid: str, *, board: bool) -> Person:
    if person.uid != uid:
        raise TokenWrong
    _count_request(request, hash_, person)
    return _require_scope(person, board=board)


def _require_scope(person: Person, *, board: bool) -> Person:
    if person.scope is not TokenScope.ALL and not board:
        raise OutOfScope
    return person


async def require_admin(request: PolledRequest) -> Person:
    """The caller in the `/user` family. Raises Forbidden unless the token is an admin's."""
    hash_ = parse_token_hash(presented_token(request))
    person = await _require_any_holder(request, hash_)
    _count_request(request, hash_, person)
    _require_scope(person, board=False)
    if not person.is_admin:
        raise Forbidden
    return person


async def log_in(
    request: web.Request, name: str, password: str, lifetime: timedelta, label: str
) -> tuple[Person, str, datetime]:
    """The person, a new token that this process knows already, and its expiry. Revokes the oldest beyond the maximum.

    Raises LoginFailed, TooManyRequests, Unavailable.
    """
    address = request.app[CLIENT_ADDRESSES].of(request)
    try:
        person = await request.app[LOGIN_THROTTLE].check(name, password, address)
    except (LoginFailed, TooManyRequests) as error:
        somebody = error.person if isinstance(error, LoginFailed) else None
        request.app[REFUSALS].note_login(address, request_id_of(request), somebody)
        raise
    database, max_tokens = request.app[DATABASE], request.app[SETTINGS].tokens_per_person
    try:
        token, expires_at = await tokens.issue_for_login(
            database, person.user_id, lifetime, label, max_tokens, origin=origin_of(request, person)
        )
    except NotFound:  # deleted or deactivated in between
        raise LoginFailed from None
    await request.app[CHANGE_LISTENER].refresh(f"token {token_hash(token).hex()}", within=1.0)
    return person, token, expires_at


def _count_request(request: PolledRequest, hash_: bytes, person: Person) -> None:
    app = request.app
    app[RATE_LIMIT].check(hash_)
    if person.scope is TokenScope.ALL:  # a screen on a wall does not show that its admin is at work
        app[ACTIVITY].record_use(person.user_id)
