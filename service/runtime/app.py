"""The composition root: which parts there are, who owns them, and in which order they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
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
from service.runtime.supervisor import Supervisor
from service.settings import Settings
from service.web import app_keys, routes
from service.web.auth.login_throttle import LOGINS, Logins
from service.web.http.rate_limit import LIMITS, Limits
from service.web.openapi.page import DESCRIPTION, Description
from service.web.ops.metrics import METRICS, Metrics, Parts
from service.web.presence.rocketchat import PEOPLE, everybody
from service.web.presence.snapshot_cache import PICTURES, Pictures
from service.web.presence.sse.events import EVENTS, StreamEvents
from service.web.presence.sse.scheduler import STREAMS, Streams
from service.web.server.connection_limit import CONNECTIONS, ConnectionLimit
from service.web.server.dispatcher import AT_ONCE, COUNT_RESPONSE, DRAINING, OUTAGE, Outage
from service.web.server.write_backlog import UNSENT, Unsent
from service.web.softphone.registration_cache import REGISTRATIONS, Registrations

log = structlog.get_logger(__name__)


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
        app[LOGINS] = logins
        app[app_keys.HASHER] = hasher
        app[app_keys.ACTIVITY] = activity
        app[app_keys.DIRECTORY] = directory
        app[app_keys.BOARD] = feed.board
        app[app_keys.WATCH] = feed.watch
        app[STREAMS] = Streams()
        app[app_keys.HELD_STREAMS] = HeldAnswers(settings.streams_per_person, settings.held_answers)
        app[app_keys.HELD_POLLS] = HeldAnswers(settings.long_polls_per_person, settings.held_answers)
        app.on_shutdown.append(_end_what_takes_long)
        app[app_keys.CHANGES] = changes
        app[LIMITS] = Limits(settings.requests_per_minute)
        app[app_keys.TAG_KEY] = await tag_key(database)
        app[app_keys.TICKETS] = Tickets(database, app[app_keys.TAG_KEY])
        app[REGISTRATIONS] = Registrations(settings, links, directory, app[app_keys.TAG_KEY])
        app[PICTURES] = Pictures(feed.board, app[app_keys.TAG_KEY])
        app[PEOPLE] = everybody(feed.board)
        app[EVENTS] = StreamEvents(app[PICTURES])
        app[OUTAGE] = Outage()
        app[DRAINING] = asyncio.Event()
        app[UNSENT] = Unsent()
        app[CONNECTIONS] = ConnectionLimit(settings.trusted_proxies)
        app[METRICS] = Metrics(
            Parts(links, logins, directory, database.login.write_access, app[STREAMS], feed.watch, unknown)
        )
        app[COUNT_RESPONSE] = app[METRICS].answered
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
