"""Watches for the first registration of a phone that fetched its configuration by a set-up link.

A fetch ends the SIP password before, so whatever registers later has the new one. The process that served the fetch
watches; it takes the contacts of before the response, which the phone cannot have changed yet. A registration is a
contact with a new URI, or one with a later expiry: a phone that is set up once more may keep its URI, and Asterisk
reports no such REGISTER by an event. So contacts of before are read again while the watch lasts.

Synchronous and pure. Memory is bounded; a watch ends with its link, and without a watch the link just expires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from service.domain.contacts import Contact

MAX_WATCHED = 1_000
"""Phones that are watched at a time. Beyond that the oldest is dropped."""
CLOCK_STEP = timedelta(seconds=1)
"""Asterisk reports expiries in whole seconds."""


@dataclass(frozen=True, slots=True)
class FetchedLink:
    """A link by which a phone fetched its configuration."""

    phone_id: int
    endpoint: str
    link_hash: bytes = field(repr=False)
    expires_at: float
    """In seconds since the epoch."""


@dataclass(slots=True)
class _Watch:
    link: FetchedLink
    before: set[str] | None
    """URIs of the contacts of before the response; None while they are unknown."""
    expiries: dict[str, datetime] = field(default_factory=dict)
    """By URI, as first read during the watch."""


class FirstRegistrations:
    """The watches of one process. `now` returns seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watches: dict[tuple[str, str], _Watch] = {}  # by call server and endpoint, the oldest first
        self.registered: Callable[[FetchedLink], None] = lambda _: None
        """Called once with each link whose phone has registered."""

    def __len__(self) -> int:
        return len(self._watches)

    def watch(self, call_server: str, link: FetchedLink, contacts: Iterable[Contact] | None) -> None:
        """Watch a phone whose configuration is about to be sent. `contacts`: its present ones, None if unknown."""
        self._drop_expired()
        key = call_server, link.endpoint
        self._watches.pop(key, None)
        if len(self._watches) >= MAX_WATCHED:
            del self._watches[next(iter(self._watches))]
        self._watches[key] = _Watch(link, None if contacts is None else {contact.uri for contact in contacts})

    def update(self, call_server: str, endpoint: str, contacts: Iterable[Contact] | None, *, read: bool) -> None:
        """Take the present contacts of an endpoint. `read`: they come from Asterisk's registrar, expiries included."""
        watch = self._watches.get((call_server, endpoint))
        if watch is None or contacts is None:
            return
        present = {contact.uri: contact for contact in contacts}
        if watch.before is None:  # who registered meanwhile cannot be told from who was there before
            watch.before = set(present)
        if present.keys() - watch.before or (read and self._is_renewed(watch, present.values())):
            del self._watches[call_server, endpoint]
            self.registered(watch.link)
        else:
            watch.before.intersection_update(present)

    def to_read_again(self) -> list[tuple[str, str]]:
        """Call servers and endpoints whose contacts of before may have been renewed without an event."""
        self._drop_expired()
        return [key for key, watch in self._watches.items() if watch.before]

    def _is_renewed(self, watch: _Watch, contacts: Iterable[Contact]) -> bool:
        for contact in contacts:
            if contact.expires_at is not None:
                first = watch.expiries.setdefault(contact.uri, contact.expires_at)
                if contact.expires_at > first + CLOCK_STEP:
                    return True
        return False

    def _drop_expired(self) -> None:
        now = self._now()
        for key in [key for key, watch in self._watches.items() if watch.link.expires_at <= now]:
            del self._watches[key]
