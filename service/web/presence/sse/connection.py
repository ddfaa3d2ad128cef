"""One open stream: it writes what is new whenever it is its turn, and never waits for its reader.

A slow reader gets the newest of each extension: while what was written before still waits in this process, nothing
more is made, and the mailbox keeps one item per extension.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, web

from service.domain.presence.scope import Scope
from service.domain.presence.subscription import Subscription
from service.web.app_keys import PRESENCE_FEED, SESSION_WATCH, STREAM_QUOTA
from service.web.presence.sse.events import STREAM_EVENTS, links_of
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from service.web.server.connection_bounds import connection_of
from service.web.server.held_request import Waiter


class StreamConnection:
    """Follows from now on until `close`, and writes from `go_on` on: what comes first is its handler's to write.

    `waiter` wakes the handler when the reader is behind, and when the stream has to end. Thousands of these are open,
    each for hours, so what is kept for each counts. Raises Overloaded where too many are open.
    """

    __slots__ = (
        "_asked",
        "_behind",
        "_chunked",
        "_connection",
        "_events",
        "_feed",
        "_held",
        "_scope",
        "_streams",
        "_subscription",
        "_token",
        "_watch",
        "failure",
        "waiter",
        "wrote_at",
    )  # fmt: skip

    def __init__(self, request: web.Request, scope: Scope, token_hash: bytes) -> None:
        app = request.app
        self._feed, self._events, self._streams, self._watch = (
            app[PRESENCE_FEED],
            app[STREAM_EVENTS],
            app[STREAM_SCHEDULER],
            app[SESSION_WATCH],
        )
        self._connection, self._chunked = connection_of(request), request.version >= HttpVersion11
        self._scope, self._token = scope, token_hash
        self._asked = False  # for a turn
        self._behind = True
        self.waiter = Waiter()
        self.wrote_at = 0.0
        self.failure: Exception | None = None
        """What went wrong in its turn."""
        self._held = app[STREAM_QUOTA]
        self._held.begin(scope.person.user_id, self.waiter.end)
        self._subscription = self._subscribed()
        self._watch.hold(token_hash, scope.person.role, self.waiter.end)
        self._streams.begin(self)
        self._connection.keep_alive(False)  # is about its next request, and has a timer
        self._connection.tell_lost(self.waiter.end)

    def close(self) -> None:
        """It follows nothing any more."""
        self._connection.tell_lost(None)
        self._streams.end(self)
        self._watch.release(self.waiter.end)
        self._feed.unsubscribe(self._subscription)
        self._held.end(self._scope.person.user_id, self.waiter.end)

    def arrived(self) -> None:
        """There is something to say, if only that it is alive."""
        if not self._asked:
            self._asked = True
            if not self._behind:
                self._streams.ask(self)

    def go_on(self) -> None:
        """The reader has taken what was written before."""
        self._behind = False
        if self._asked:
            self._streams.ask(self)

    def write(self) -> None:
        """It is its turn. What goes wrong is the handler's to tell: others have their turns after it."""
        if self.waiter.ended:
            return
        try:
            if not self._watch.valid(self._token, self._scope.person.role):
                self.waiter.end()
            elif self._connection.writing_paused:
                self._fall_behind()
            elif self._subscription.needs_snapshot and not self._events.ready(self._scope):
                self._streams.ask(self)
            else:
                self._asked = False
                self._send(self._news())
        except Exception as error:
            self.failure = error
            self.waiter.end()

    def _news(self) -> bytes:
        subscription = self._subscription
        if not subscription.needs_snapshot:
            return self._events.news(self._scope, subscription)
        self._feed.unsubscribe(subscription)
        self._subscription = self._subscribed()
        return links_of(subscription) + self._events.snapshot(self._scope)

    def _subscribed(self) -> Subscription:
        return self._feed.subscribe(self._scope.extensions(), self.arrived, self._scope.depends_on_owner)

    def _send(self, news: bytes) -> None:
        """Straight to the transport, as one chunk of HTTP: aiohttp's writer is for those who can wait."""
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            return
        transport.write(b"%x\r\n%b\r\n" % (len(news), news) if self._chunked else news)
        if self._connection.writing_paused:
            self._fall_behind()

    def _fall_behind(self) -> None:
        """Write no more until the handler says so: it waits for the reader, though not for ever."""
        self._behind = True
        self.waiter.arrived()
