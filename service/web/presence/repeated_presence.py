"""Answers a presence poll that comes again with the same bytes, while there is nothing new for it."""

from __future__ import annotations

import msgspec

from service.domain.presence.feed import PresenceFeed
from service.domain.presence.visibility import sees_all
from service.web.app_keys import PRESENCE_FEED
from service.web.auth.repeated_caller import RepeatedCaller
from service.web.http.polled_request import PolledRequest
from service.web.http.repeated_poll import Answer
from service.web.presence.snapshot_cache import SNAPSHOT_CACHE, SnapshotCache


class RepeatedPresencePoll(msgspec.Struct, frozen=True, gc=False):
    """A poll of somebody who sees all extensions, answered 304: of these numbers, or of all if there are none."""

    caller: RepeatedCaller
    feed: PresenceFeed
    snapshots: SnapshotCache
    numbers: frozenset[str]
    etag: str
    head: bytes

    @classmethod
    def of(cls, request: PolledRequest, numbers: frozenset[str], etag: str, head: bytes) -> RepeatedPresencePoll:
        """The poll that was answered with this tag and head."""
        app = request.app
        return cls(RepeatedCaller.of(request), app[PRESENCE_FEED], app[SNAPSHOT_CACHE], numbers, etag, head)

    def answer(self, _: str | None) -> Answer | None:
        """304 again; None if the caller or anything in the poll's scope has changed."""
        caller = self.caller
        person = caller.identify(board=True)
        if person is None or not sees_all(person):
            return None
        numbers, snapshots = self.numbers, self.snapshots
        if numbers:
            etag = snapshots.etag_of_group(numbers) if self.feed.knows(numbers) else None
        else:
            etag = snapshots.etag_of_all() if snapshots.is_ready() else None
        return (304, self.head, b"") if etag == self.etag and caller.count(person) else None
