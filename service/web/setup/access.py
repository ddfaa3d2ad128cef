"""What a token under `/p/` opens, from memory: a guess costs a hash and no SQL.

Whatever the reason of a refusal, the response is the same 404: see `setup` in `service/web/http/error_responses.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from msgspec import Meta

from service.domain.audit import Actor, ActorKind, Origin
from service.domain.models import Extension, Phone, PhoneSetup
from service.domain.networks import is_loopback
from service.domain.setup_tokens import hash_setup_token
from service.errors import CallServerUnavailable, DirectoryUnavailable, NoSuchLink
from service.settings import CallServer
from service.web.app_keys import CHANGE_LISTENER, CREDENTIAL_OWNERS, DIRECTORY, SETTINGS
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.params import Path
from service.web.http.refusals import REFUSALS
from service.web.http.request_id import request_id_of
from service.web.setup.guesses import GUESSES


class LinkPath(msgspec.Struct, frozen=True):
    """Set-up link."""

    token: Annotated[str, Meta(description="Token of the link.")]


class DevicePath(msgspec.Struct, frozen=True, rename="camel"):
    """Device URL."""

    device_token: Annotated[str, Meta(description="Token of the device URL.")]


LINK, DEVICE = Path(LinkPath), Path(DevicePath)


@dataclass(frozen=True, slots=True)
class Opened:
    """The phone that a token opens."""

    extension: Extension
    phone: Phone
    server: CallServer
    token: str = field(repr=False)
    token_hash: bytes
    public_url: str
    """What links and device URLs begin with: the setting, never the request's `Host`."""


def open_link(request: web.Request) -> Opened:
    """The phone of a valid set-up link, by the path's `token`. Nothing is consumed.

    Raises NoSuchLink, TooManyRequests, Unavailable.
    """
    now = request.app[DIRECTORY].now()
    return _open(
        request, LINK.decode(request).token, lambda setup: setup.link_hash if setup.link_expires_at > now else None
    )


def open_device(request: web.Request) -> Opened:
    """The phone of a device URL, by the path's `deviceToken`. Raises NoSuchLink, TooManyRequests, Unavailable."""
    return _open(request, DEVICE.decode(request).device_token, lambda setup: setup.device_hash)


def refuse_link(request: web.Request) -> NoSuchLink:
    """The error for a wrong token, which is counted and audited. Raises TooManyRequests."""
    addresses = request.app[CLIENT_ADDRESSES]
    request.app[REFUSALS].note_token(addresses.of(request), request_id_of(request))
    request.app[GUESSES].check(addresses.source_of(request))
    return NoSuchLink("the link is not valid")


def origin_of_token(request: web.Request) -> Origin:
    """Whoever holds a link or a device URL, for the audit trail: it does not say who that is."""
    return Origin(Actor(ActorKind.UNKNOWN), request.app[CLIENT_ADDRESSES].of(request), request_id_of(request))


def _open(request: web.Request, token: str, valid_hash: Callable[[PhoneSetup], bytes | None]) -> Opened:
    app, token_hash = request.app, hash_setup_token(token)
    public_url = app[SETTINGS].public_url
    if token_hash is None or public_url is None:
        raise refuse_link(request)
    directory = app[DIRECTORY]
    found = directory.find_setup(token_hash)
    if found is None:
        # Another process may have made it meanwhile; or this one, when PostgreSQL went away before it was read back.
        if directory.stale_since is not None or not app[CHANGE_LISTENER].current:
            raise DirectoryUnavailable("the directory is not current, so an unknown link may be a new one")
        raise refuse_link(request)
    extension, phone = found
    if phone.setup is None or valid_hash(phone.setup) != token_hash:
        raise refuse_link(request)
    if extension.call_server in app[CREDENTIAL_OWNERS].imported:
        raise refuse_link(request)
    if not _came_safely(request, public_url):
        app[GUESSES].log_over_http()
        raise NoSuchLink("the token came over http")
    server = app[SETTINGS].call_servers.get(extension.call_server)
    if server is None:
        raise CallServerUnavailable(f"call server {extension.call_server} is not configured")
    return Opened(extension, phone, server, token, token_hash, public_url)


def _came_safely(request: web.Request, public_url: str) -> bool:
    """Whether the request came over https, or from this machine.

    A proxy that ends TLS says so in `X-Forwarded-Proto`. Who forges it harms nobody else. One on this machine, and a
    trusted one, need not. Where links begin with http, they are for this machine alone.
    """
    if request.secure or urlsplit(public_url).scheme == "http":
        return True
    scheme = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    if scheme:
        return scheme == "https"
    peer = request.remote or ""
    return is_loopback(peer) or request.app[CLIENT_ADDRESSES].trusts(peer)
