"""The composition root: which parts there are, who owns them, and in which order they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from time import time

import structlog
from aiohttp import web

from service.ami.client import Account
from service.ami.link import Link
from service.ami.persistent_client import KeptConnection
from service.clock import uptime
from service.credentials import PasswordHasher
from service.db.activity import Activity
from service.db.change_listener import Changes
from service.db.connection import watch_write_access
from service.db.directory_loader import DirectoryReader
from service.db.pool import Database
from service.db.shared_keys import tag_key
from service.db.stream_tickets import Tickets
from service.db.user_loader import UserReads
from service.domain.directory import Directory
from service.domain.held_request_quota import HeldAnswers
from service.domain.unknown_call_servers import UnknownCallServers
from service.errors import ConfigurationError
from service.runtime.extension_feed import LinkFeed
from service.runtime.presence_composer import BoardFeed
from service.settings import Settings
from service.web import app_keys, routes
from service.web.auth.login_throttle import Logins
from service.web.http.rate_limit import Limits
from service.web.openapi.page import DESCRIPTION, Description
from service.web.ops.metrics import METRICS, Metrics, Parts
from service.web.presence.rocketchat import everybody
from service.web.presence.snapshot_cache import Pictures
from service.web.presence.sse.events import StreamEvents
from service.web.presence.sse.scheduler import Streams
from service.web.server.connection_limit import CONNECTIONS, ConnectionLimit
from service.web.server.dispatcher import AT_ONCE, DRAINING, OUTAGE, Outage
from service.web.server.write_backlog import UNSENT, Unsent
from service.web.softphone.registration_cache import Registrations

log = structlog.get_logger(__name__)

CANCEL_AGAIN = 0.2
"""Seconds after which a task is told again to end. Until Python 3.13 a TaskGroup that ends with errors loses a
cancellation that comes at the same moment, and whoever handles the errors goes on: as when all is stopped at once."""


@contextlib.asynccontextmanager
async def running(settings: Settings, *, hash_rounds: int = 12) -> AsyncIterator[tuple[web.Application, Supervisor]]:
    """The application with all its parts alive. Raises ConfigurationError when PostgreSQL stays away."""
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.of(settings))
        hasher = stack.enter_context(PasswordHasher(rounds=hash_rounds))
        activity = Activity(database)
        stack.push_async_callback(activity.flush)  # the last batch, when all tasks have ended
        links = {
            name: Link(
                name,
                Account.monitor(server),
                sync=Account.sync(server),
                presence=Account.presence(server),
                deadline=settings.watchdog_deadline,
            )
            for name, server in settings.call_servers.items()
        }
        directory = Directory(uptime, time, usable_for=settings.directory_grace)
        feed = BoardFeed(directory)
        feed.follow(links)
        unknown = UnknownCallServers(links)
        followed = LinkFeed(directory, links, asyncio.get_running_loop().call_soon, unknown.follow)
        reader = DirectoryReader(database, directory, (feed.directory_changed, followed.directory_changed))
        changes = Changes(database.login, reader)
        logins = Logins(database, hasher, activity, settings.login_failures_per_process)

        app = web.Application()
        app[app_keys.SETTINGS] = settings
        app[app_keys.DATABASE] = database
        app[app_keys.USER_READS] = UserReads(database, settings.database_deadline)
        app[app_keys.LINKS] = links
        app[app_keys.UNKNOWN_CALL_SERVERS] = unknown
        app[app_keys.PRESENCE_ACCOUNTS] = _presence_accounts(settings, stack)
        app[app_keys.LOGINS] = logins
        app[app_keys.HASHER] = hasher
        app[app_keys.ACTIVITY] = activity
        app[app_keys.DIRECTORY] = directory
        app[app_keys.BOARD] = feed.board
        app[app_keys.WATCH] = feed.watch
        app[app_keys.STREAMS] = Streams()
        app[app_keys.HELD_STREAMS] = HeldAnswers(settings.streams_per_person, settings.held_answers)
        app[app_keys.HELD_POLLS] = HeldAnswers(settings.long_polls_per_person, settings.held_answers)
        app.on_shutdown.append(_end_what_takes_long)
        app[app_keys.CHANGES] = changes
        app[app_keys.LIMITS] = Limits(settings.requests_per_minute)
        app[app_keys.TAG_KEY] = await tag_key(database)
        app[app_keys.TICKETS] = Tickets(database, app[app_keys.TAG_KEY])
        app[app_keys.REGISTRATIONS] = Registrations(settings, links, directory, app[app_keys.TAG_KEY])
        app[app_keys.PICTURES] = Pictures(feed.board, app[app_keys.TAG_KEY])
        app[app_keys.PEOPLE] = everybody(feed.board)
        app[app_keys.EVENTS] = StreamEvents(app[app_keys.PICTURES])
        app[OUTAGE] = Outage()
        app[DRAINING] = asyncio.Event()
        app[UNSENT] = Unsent()
        app[CONNECTIONS] = ConnectionLimit(settings.trusted_proxies)
        app[METRICS] = Metrics(
            Parts(links, logins, directory, database.login.write_access, app[app_keys.STREAMS], feed.watch, unknown)
        )
        families = routes.families(with_metrics=settings.metrics_port is None)
        app[DESCRIPTION] = Description(families)
        app.add_routes(routes.public(families))
        app[AT_ONCE] = routes.at_once(families)

        supervisor = await stack.enter_async_context(Supervisor())
        for name, link in links.items():
            supervisor.start(f"link {name}", link.run())
        supervisor.start("board", feed.run())
        supervisor.start("changes", changes.run())
        supervisor.start("activity", activity.run())
        supervisor.start("write access", watch_write_access(database.login))
        await _read_once(changes, supervisor, settings.database_start_deadline)
        yield app, supervisor


def _presence_accounts(settings: Settings, stack: contextlib.AsyncExitStack) -> dict[str, KeptConnection]:
    """A connection for each account that sets presence, until the stack ends."""
    made = {}
    for name, server in settings.call_servers.items():
        if (account := Account.presence(server)) is not None:
            made[name] = KeptConnection(account)
            stack.push_async_callback(made[name].close)
    return made


async def _end_what_takes_long(app: web.Application) -> None:
    """Streams and long-polls end at once, or a shutdown would wait for their readers."""
    app[app_keys.WATCH].end_all()


async def _read_once(changes: Changes, supervisor: Supervisor, deadline: float) -> None:
    """Wait until everything was read. Raises ConfigurationError, and RuntimeError when a task ended meanwhile."""
    read = asyncio.create_task(changes.following.wait(), name="first reading")
    try:
        await asyncio.wait((read, supervisor.failed), timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if supervisor.failed.done():
            raise RuntimeError(supervisor.failed.result())
        if not read.done():
            why = f": {changes.trouble}" if changes.trouble else ""
            raise ConfigurationError(f"PostgreSQL could not be read within {deadline:g} s{why}")
    finally:
        read.cancel()


class Supervisor:
    """Owns the tasks that must never end by themselves: a silently dead feeder is the worst failure there is."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Which task ended by itself first, and why, once one has."""

    async def __aenter__(self) -> Supervisor:
        return self

    async def __aexit__(self, *_: object) -> None:
        pending = self._tasks
        while pending:
            for task in pending:
                task.cancel()
            pending = (await asyncio.wait(pending, timeout=CANCEL_AGAIN))[1]

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Run something until the supervisor ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        log.critical("a task ended by itself", task=task.get_name(), exc_info=error)
        if not self.failed.done():
            why = f": {_first(error)!r}" if error is not None else ""
            self.failed.set_result(f"the task {task.get_name()!r} ended by itself{why}")


def _first(error: BaseException) -> BaseException:
    """What a group of errors began with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
