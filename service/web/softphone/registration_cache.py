"""Registration infos as bytes: each extension's is made once, until the extension or what is known of it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time

from aiohttp import web

from service.ami.link import Link
from service.domain.directory import Directory
from service.domain.models import Extension, Reading, WebSocketAddress
from service.domain.registration_info import Registration, registration
from service.domain.state_names import ASTERISK, ROCKETCHAT
from service.errors import CallServerUnavailable
from service.settings import Settings
from service.web.http.headers import why_not_live
from service.web.http.prebuilt_response import PrebuiltResponse, lines
from service.web.softphone.signing import JWT_RENEWED_EVERY, signed


@dataclass(frozen=True, slots=True)
class CachedRegistration:
    """An answer, and what it was made of: it holds as long as these are the same, within the same period."""

    extension: Extension
    reading: Reading
    period: int
    etag: str
    head: bytes
    head_without_body: bytes
    body: bytes = field(repr=False)

    def holds(self, extension: Extension, reading: Reading, period: int) -> bool:
        same = reading is self.reading or reading == self.reading  # one that is not live is made anew each time
        return same and extension is self.extension and period == self.period

    def answer(self, *, known: bool) -> PrebuiltResponse:
        """The answer, or that the client knows it already."""
        return PrebuiltResponse(304, self.head_without_body) if known else PrebuiltResponse(200, self.head, self.body)


class RegistrationCache:
    """One per process. Extensions are frozen, and a change is a new one: so `is` tells."""

    def __init__(self, settings: Settings, links: Mapping[str, Link], directory: Directory, tag_key: bytes) -> None:
        self._settings = settings
        self._servers = {
            name: (address, link) for name, link in links.items() if (address := settings.call_server(name)) is not None
        }
        self._jwt_secret = settings.jwt_secret
        self._directory = directory
        self._tag_key = tag_key
        self._made: dict[str, CachedRegistration] = {}

    def of(self, extension: Extension) -> CachedRegistration:
        """What can be answered now. Raises CallServerUnavailable."""
        found = self._servers.get(extension.call_server)
        if found is None:
            raise CallServerUnavailable(f"call server {extension.call_server} is not configured")
        server, link = found
        reading = link.states.read(extension.device)
        period = 0 if self._jwt_secret is None else int(time() // JWT_RENEWED_EVERY)
        made = self._made.get(extension.number)
        if made is None or not made.holds(extension, reading, period):
            self._tidy()
            made = self._made[extension.number] = self._make(extension, server, reading, period)
        return made

    def _make(
        self, extension: Extension, server: WebSocketAddress, reading: Reading, period: int
    ) -> CachedRegistration:
        settings, key = self._settings, self._tag_key
        state_names = ROCKETCHAT if settings.rocketchat_states else ASTERISK
        found = registration(extension, server, reading, state_names, tag_key=key, success=settings.rocketchat_success)
        if self._jwt_secret is not None:
            secret = self._jwt_secret.get_secret_value()
            found = signed(found, secret, tag_key=key, now=period * JWT_RENEWED_EVERY)
        headers = _headers(found, settings.poll_interval)
        return CachedRegistration(
            extension, reading, period, found.etag, lines(headers, found.body), lines(headers), found.body
        )

    def _tidy(self) -> None:
        """Forget extensions that are gone, before they are as many as those that are there."""
        if len(self._made) > 2 * self._directory.counts()["extensions"] + 100:
            for number in [number for number in self._made if self._directory.extension(number) is None]:
                del self._made[number]


def _headers(found: Registration, poll_interval: int) -> dict[str, str]:
    return {
        "Cache-Control": "no-store",
        "ETag": found.etag,
        "X-State-Live": "true" if found.reading.live else "false",
        "X-Poll-Interval": str(poll_interval),
        **why_not_live(found.reading),
    }


REGISTRATION_CACHE = web.AppKey("registrations", RegistrationCache)
