"""One open stream. It writes new events when the scheduler gives it a turn, and never waits for its reader.

A slow reader gets the newest item of each extension: while earlier output is unsent, no event is made, and the
subscription keeps one item per extension.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, web

from service.domain.feed_cursor import Cursor
from service.domain.models import TokenScope
from service.domain.presence.scope import Scope
from service.domain.presence.subscription import Subscription
from service.domain.queue_scope import QueueScope
from service.web.app_keys import CREDENTIAL_WATCH, PRESENCE_FEED, SESSION_WATCH, STREAM_QUOTA
from service.web.presence.sse.events import HEARTBEAT, STREAM_EVENTS, render_credentials, take_link_events
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from service.web.queues.events import QueueStream
from service.web.server.connection_bounds import connection_of
from service.web.server.held_request import Waiter


class StreamConnection:
    """Subscribed from construction to `close`. It writes from `resume` on: the handler writes the first event.

    `waiter` wakes the handler when the reader falls behind, and when the stream has to end. Thousands are open for
    hours, so memory per stream matters. Raises Overloaded if too many are open.
    """

    __slots__ = (
        "_behind",
        "_chunked",
        "_connection",
        "_credential_watch",
        "_credentials",
        "_events",
        "_feed",
        "_queues",
        "_quota",
        "_scheduler",
        "_scope",
        "_session_watch",
        "_subscription",
        "_token",
        "_turn_requested",
        "failure",
        "waiter",
        "wrote_at",
    )  # fmt: skip

    def __init__(self, request: web.Request, scope: Scope, token_hash: bytes, queues: QueueScope | None = None) -> None:
        app = request.app
        self._feed, self._events, self._scheduler, self._session_watch = (
            app[PRESENCE_FEED],
            app[STREAM_EVENTS],
            app[STREAM_SCHEDULER],
            app[SESSION_WATCH],
        )
        self._connection, self._chunked = connection_of(request), request.version >= HttpVersion11
        self._scope, self._token = scope, token_hash
        self._turn_requested = False
        self._behind = True
        self.waiter = Waiter()
        self.wrote_at = 0.0
        self.failure: Exception | None = None
        """The error that ended the stream, if any."""
        self._quota = app[STREAM_QUOTA]
        self._quota.begin(scope.person.user_id, self.waiter.end)
        self._subscription = self._subscribe()
        self._queues = QueueStream(request, queues, self.on_news) if queues is not None else None
        self._credential_watch = app[CREDENTIAL_WATCH]
        self._credentials = self._credential_watch.subscribe(scope.person.user_id, self.on_news)
        self._session_watch.hold(token_hash, scope.person.access, self.waiter.end)
        self._scheduler.add(self)
        self._connection.keep_alive(False)  # the timer of keep-alive is for a next request
        self._connection.notify_lost(self.waiter.end)

    def close(self) -> None:
        """Release the subscription and all registrations."""
        self._connection.notify_lost(None)
        self._scheduler.remove(self)
        self._session_watch.release(self.waiter.end)
        self._feed.unsubscribe(self._subscription)
        if self._queues is not None:
            self._queues.close()
        self._credential_watch.unsubscribe(self._scope.person.user_id, self._credentials)
        self._quota.end(self._scope.person.user_id, self.waiter.end)

    def on_news(self) -> None:
        """There is an event or a heartbeat to write."""
        if not self._turn_requested:
            self._turn_requested = True
            if not self._behind:
                self._scheduler.request_turn(self)

    def resume(self) -> None:
        """The reader has caught up."""
        self._behind = False
        if self._turn_requested:
            self._scheduler.request_turn(self)

    def write(self) -> None:
        """Write in this turn. Errors go to the handler, so that other streams get their turns.

        What is written is composed as of this turn: a link may have become silent since, or an event may be on its way
        to the feed.
        """
        if self.waiter.ended:
            return
        try:
            self._feed.catch_up(self._subscription.extensions)
            if not self._session_watch.valid(self._token, self._scope.person.access):
                self.waiter.end()
            elif self._connection.writing_paused:
                self._fall_behind()
            elif self._needs_snapshot and not self._events.is_ready(self._scope):
                self._scheduler.request_turn(self)
            else:
                self._turn_requested = False
                self._send(self._render_news())
        except Exception as error:
            self.failure = error
            self.waiter.end()

    def render_first(self, last: Cursor | None) -> bytes:
        """The changes since the reader's last event if they are known; else a snapshot."""
        queues = self._queues
        changes = self._scope.changes_since(last.presence) if last is not None else None
        if last is None or changes is None:
            return self._render_snapshot()
        if queues is None:
            return self._events.render_missed(self._scope, changes, "")
        missed = queues.missed(last)
        if missed is None:
            return self._render_snapshot()
        presence = self._events.render_missed(self._scope, changes, last.queues)
        return presence + queues.render_missed(self._scope.cursor(), missed)

    @property
    def _needs_snapshot(self) -> bool:
        return self._subscription.needs_snapshot or (self._queues is not None and self._queues.needs_snapshot)

    def _render_news(self) -> bytes:
        """What is new for the reader; a heartbeat if nothing is."""
        changed = self._credentials.take()
        if self._scope.person.scope is not TokenScope.ALL:  # whose phone got another password is no board's business
            changed = []
        return render_credentials(changed) + self._render_feeds() or HEARTBEAT

    def _render_feeds(self) -> bytes:
        subscription, queues = self._subscription, self._queues
        if self._needs_snapshot:
            self._feed.unsubscribe(subscription)
            self._subscription = self._subscribe()
            return take_link_events(subscription) + self._render_snapshot()
        presence = self._events.take_news(self._scope, subscription, queues.cursor if queues is not None else "")
        if queues is None:
            return presence
        # A partial subscription has everything up to the feed's newest change, a full one may have a part of it.
        seen = subscription.seen if subscription.extensions is None else None
        return presence + queues.take_news(self._scope.cursor(seen))

    def _render_snapshot(self) -> bytes:
        snapshot = self._events.render_snapshot(self._scope)
        return snapshot if self._queues is None else snapshot + self._queues.render_snapshot(self._scope.cursor())

    def _subscribe(self) -> Subscription:
        return self._feed.subscribe(self._scope.extensions(), self.on_news, self._scope.depends_on_owner)

    def _send(self, news: bytes) -> None:
        """Write to the transport as one HTTP chunk: aiohttp's writer would have to wait."""
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            return
        transport.write(b"%x\r\n%b\r\n" % (len(news), news) if self._chunked else news)
        if self._connection.writing_paused:
            self._fall_behind()

    def _fall_behind(self) -> None:
        """Stop writing until `resume`: the handler waits for the reader, with a deadline."""
        self._behind = True
        self.waiter.on_news()
