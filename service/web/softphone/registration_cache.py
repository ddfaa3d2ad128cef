"""Caches registration infos as bytes, until the extension or its state changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time

from aiohttp import web

from service.domain.call_server import CallServer
from service.domain.device_states import DeviceStates
from service.domain.directory import Directory
from service.domain.models import Extension, Phone, Reading, WebSocketAddress
from service.domain.registration_info import Registration, phone_to_register, registration
from service.domain.state_names import ASTERISK, ROCKETCHAT
from service.errors import CallServerUnavailable
from service.settings import Settings
from service.web.http.etag import format_etag, keyed_digest
from service.web.http.headers import not_live_headers
from service.web.http.prebuilt_response import PrebuiltResponse, render_headers
from service.web.softphone.signing import JWT_RENEWAL_INTERVAL, sign

SPARE = 100
"""Removed phones that may be kept however few there are."""


@dataclass(frozen=True, slots=True)
class CachedRegistration:
    """A response and its inputs: it is current while these are the same, within the same `period` of the signature."""

    extension: Extension
    states: DeviceStates
    device: str
    reading: Reading
    period: int
    etag: str
    head: bytes
    head_without_body: bytes
    body: bytes = field(repr=False)

    def response(self, *, not_modified: bool) -> PrebuiltResponse:
        """The response: 304 without a body, or 200."""
        if not_modified:
            return PrebuiltResponse(304, self.head_without_body)
        return PrebuiltResponse(200, self.head, self.body)


class RegistrationCache:
    """The cache; one per process. Extensions and phones are immutable, so `is` detects a change."""

    def __init__(
        self, settings: Settings, links: Mapping[str, CallServer], directory: Directory, tag_key: bytes
    ) -> None:
        self._settings = settings
        self._servers = {
            name: (address, link, settings.call_servers[name].credentials)
            for name, link in links.items()
            if (address := settings.call_server(name)) is not None
        }
        self._jwt_secret = settings.jwt_secret
        self._directory = directory
        self._tag_key = tag_key
        self._cached: dict[str | int, CachedRegistration] = {}
        """By the extension's number, or by the id of the phone that was chosen."""
        self._evict_at = SPARE

    def get(self, extension: Extension, phone_id: int | None = None) -> CachedRegistration | None:
        """The current registration info of one of its phones, or of the one that registers without a choice.

        None if there is no such phone. Raises CallServerUnavailable.
        """
        key = extension.number if phone_id is None else phone_id
        period = 0 if self._jwt_secret is None else int(time() // JWT_RENEWAL_INTERVAL)
        cached = self._cached.get(key)
        if cached is not None and cached.extension is extension and cached.period == period:
            reading = cached.states.read(cached.device)
            if reading is cached.reading or reading == cached.reading:  # one that is not live is a new object each time
                return cached
        configured = self._servers.get(extension.call_server)
        if configured is None:
            raise CallServerUnavailable(f"call server {extension.call_server} is not configured")
        server, link, credentials = configured
        phone = phone_to_register(extension, credentials) if phone_id is None else extension.phone(phone_id)
        if phone is None:
            return None
        self._evict_removed()
        cached = self._cached[key] = self._build(extension, phone, server, link.states, period)
        return cached

    def _build(
        self, extension: Extension, phone: Phone, server: WebSocketAddress, states: DeviceStates, period: int
    ) -> CachedRegistration:
        settings, reading = self._settings, states.read(phone.device)
        state_names = ROCKETCHAT if settings.rocketchat_states else ASTERISK
        info = registration(phone, server, reading, state_names, success=settings.rocketchat_success)
        if self._jwt_secret is not None:
            secret = self._jwt_secret.get_secret_value()
            info = sign(info, secret, now=period * JWT_RENEWAL_INTERVAL)
        etag = registration_etag(info, self._tag_key)
        headers = _headers(info, etag, settings.poll_interval)
        return CachedRegistration(
            extension,
            states,
            phone.device,
            reading,
            period,
            etag,
            render_headers(headers, info.body),
            render_headers(headers),
            info.body,
        )

    def _evict_removed(self) -> None:
        """Drop removed ones whenever there are twice as many as the last time: the search costs all extensions."""
        if len(self._cached) < self._evict_at:
            return
        extensions = self._directory.registrable_extensions()
        existing: set[str | int] = {phone.phone_id for extension in extensions for phone in extension.phones}
        existing.update(extension.number for extension in extensions)
        for key in self._cached.keys() - existing:
            del self._cached[key]
        self._evict_at = 2 * len(self._cached) + SPARE


def registration_etag(info: Registration, tag_key: bytes) -> str:
    """The entity tag of a registration info: it covers the body and its liveness."""
    mark = b"live" if info.reading.live else b"not live"
    return format_etag(keyed_digest(info.body + mark, tag_key))


def _headers(info: Registration, etag: str, poll_interval: int) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "ETag": etag,
        "X-State-Live": "true" if info.reading.live else "false",
        "X-Poll-Interval": str(poll_interval),
        **not_live_headers(info.reading),
    }


REGISTRATION_CACHE = web.AppKey("registration_cache", RegistrationCache)
