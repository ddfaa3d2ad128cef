"""The composition root: creates all parts, owns them, and starts and stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import time

import structlog
from aiohttp import web

from service.clock import uptime
from service.credentials import PasswordHasher
from service.db.activity import Activity
from service.db.connection import watch_write_access
from service.db.stream_tickets import StreamTickets
from service.db.user_loader import UserLoader
from service.domain.credential_owners import CredentialOwners
from service.domain.credential_watch import CredentialWatch
from service.domain.directory import Directory
from service.domain.held_request_quota import HeldRequestQuota
from service.domain.secret_counts import UnreadableSecretsLog
from service.domain.unknown_call_servers import UnknownCallServers
from service.runtime.audit_trail import AuditTrail
from service.runtime.call_servers import open_call_servers
from service.runtime.certificate_watch import CERTIFICATE_WATCH, CertificateWatch
from service.runtime.extension_assigner import ExtensionAssigner
from service.runtime.first_read import wait_until_loaded
from service.runtime.loop_watch import LoopWatch
from service.runtime.phone_setups import PhoneSetups
from service.runtime.presence_composer import PresenceComposer
from service.runtime.queue_follower import follow_queues
from service.runtime.registration_history import RegistrationHistory
from service.runtime.secret_filler import SecretFiller
from service.runtime.storage import Storage, postgresql
from service.runtime.task_supervisor import Supervisor
from service.settings import Settings
from service.web import app_keys, routes
from service.web.auth.board_calls import REDEMPTIONS, REDEMPTIONS_PER_MINUTE
from service.web.auth.login_throttle import LOGIN_THROTTLE, LoginThrottle
from service.web.http.client_address import CLIENT_ADDRESSES, ClientAddresses
from service.web.http.disclosures import DISCLOSURES, Disclosures
from service.web.http.rate_limit import RATE_LIMIT, RateLimit, SourceLimit
from service.web.http.refusals import REFUSALS
from service.web.openapi.page import DESCRIPTION, Description
from service.web.ops.bus_metrics import BusCollector
from service.web.ops.certificate_metrics import CertificateCollector
from service.web.ops.duration_metrics import LoopLagCollector
from service.web.ops.extension_metrics import ExtensionCollector
from service.web.ops.history_metrics import HistoryCollector
from service.web.ops.metrics import METRICS, Metrics, StateCollector
from service.web.ops.process_metrics import ProcessCollector
from service.web.pages.routes import PAGES_KEY, Pages
from service.web.presence.presence_audit import PRESENCE_CHANGES
from service.web.presence.rocketchat import ROCKETCHAT_USERS, rocketchat_users
from service.web.presence.snapshot_cache import SNAPSHOT_CACHE, SnapshotCache
from service.web.presence.sse.events import STREAM_EVENTS, StreamEvents
from service.web.presence.sse.scheduler import STREAM_SCHEDULER, StreamScheduler
from service.web.queues.rendering import QUEUE_RENDERING, QueueRendering
from service.web.server.certificate import SERVED_CERTIFICATE, ServedCertificate
from service.web.server.connection_limit import CONNECTION_LIMIT, ConnectionLimit
from service.web.server.dispatcher import (
    COUNT_RESPONSE,
    DRAINING,
    OBSERVE_DURATION,
    PLAIN_HANDLERS,
    SYNC_HANDLERS,
)
from service.web.server.outage import OUTAGE, Outage
from service.web.server.write_backlog import WRITE_BACKLOG, WriteBacklog
from service.web.softphone.registration_cache import REGISTRATION_CACHE, RegistrationCache

log = structlog.get_logger(__name__)

OpenStorage = Callable[[Settings], contextlib.AbstractAsyncContextManager[Storage]]


@contextlib.asynccontextmanager
async def run_app(
    settings: Settings,
    *,
    folder: Path | None = None,
    hash_rounds: int = 12,
    open_storage: OpenStorage = postgresql,
) -> AsyncIterator[tuple[web.Application, Supervisor]]:
    """Run the application with all its parts. Raises ConfigurationError when PostgreSQL stays unreachable.

    `folder` has the sockets of this machine's collector, if this is one of several workers.
    """
    async with contextlib.AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings))
        database = storage.database
        hasher = stack.enter_context(PasswordHasher(rounds=hash_rounds))
        activity = Activity(database)
        stack.push_async_callback(activity.flush)  # the last batch, after all tasks have ended
        trail = AuditTrail(database)
        stack.push_async_callback(trail.flush)
        call_servers = open_call_servers(settings, storage.import_database, folder)
        links = call_servers.servers
        phone_setups = PhoneSetups(database, links)
        stack.push_async_callback(phone_setups.activity.flush)
        directory = Directory(uptime, time, grace_period=settings.directory_grace)
        composer = PresenceComposer(directory)
        composer.follow(links)
        loop_watch = LoopWatch()
        history = RegistrationHistory(database, links)
        stack.push_async_callback(history.flush)
        composer.feed.observers.append(history.observe)
        composer.link_observers.append(history.link_changed)
        unknown = UnknownCallServers(links)
        assigner = ExtensionAssigner(directory, links, asyncio.get_running_loop().call_soon, unknown.update)
        owners, credential_watch = CredentialOwners(settings.credential_owners), CredentialWatch(directory)
        unreadable = UnreadableSecretsLog()
        filler = SecretFiller(database, directory, owners)
        changed = (
            composer.directory_changed,
            assigner.directory_changed,
            credential_watch.directory_changed,
            filler.directory_changed,
            lambda _: unreadable.update(directory.secret_counts.unreadable),
        )
        changes = storage.listener(directory, changed, owners.update)
        logins = LoginThrottle(database, hasher, activity, settings.login_failures_per_process)

        app = web.Application()
        app[app_keys.SETTINGS] = settings
        app[app_keys.DATABASE] = database
        app[app_keys.USER_LOADER] = UserLoader(database, settings.database_deadline)
        app[app_keys.LINKS] = links
        app[app_keys.UNKNOWN_CALL_SERVERS] = unknown
        app[app_keys.CREDENTIAL_OWNERS] = owners
        app[app_keys.IMPORTS] = call_servers.imports
        app[app_keys.PRESENCE_CONNECTIONS] = call_servers.presence
        app[LOGIN_THROTTLE] = logins
        app[app_keys.HASHER] = hasher
        app[app_keys.ACTIVITY] = activity
        app[app_keys.DIRECTORY] = directory
        app[app_keys.CREDENTIAL_WATCH] = credential_watch
        app[app_keys.PRESENCE_FEED] = composer.feed
        app[app_keys.FLAPPING] = history.flapping
        app[app_keys.SESSION_WATCH] = composer.watch
        app[STREAM_SCHEDULER] = StreamScheduler()
        app[app_keys.STREAM_QUOTA] = HeldRequestQuota(settings.streams_per_person, settings.held_answers)
        app[app_keys.LONG_POLL_QUOTA] = HeldRequestQuota(settings.long_polls_per_person, settings.held_answers)
        app.on_shutdown.append(_end_held_requests)
        app[app_keys.CHANGE_LISTENER] = changes
        app[CLIENT_ADDRESSES] = addresses = ClientAddresses(settings.trusted_proxies)
        app[REFUSALS] = trail.refusals
        app[DISCLOSURES] = Disclosures(trail.disclosures, addresses)
        app[PRESENCE_CHANGES] = trail.presence_changes
        phone_setups.install(app)
        app[RATE_LIMIT] = RateLimit(settings.requests_per_minute)
        app[REDEMPTIONS] = SourceLimit(REDEMPTIONS_PER_MINUTE, 60)
        app[app_keys.TAG_KEY] = storage.tag_key
        app[app_keys.STREAM_TICKETS] = StreamTickets(database, app[app_keys.TAG_KEY])
        app[REGISTRATION_CACHE] = RegistrationCache(settings, links, directory, app[app_keys.TAG_KEY])
        app[app_keys.QUEUE_FEED] = follow_queues(composer, links, directory)
        app[QUEUE_RENDERING] = QueueRendering(app[app_keys.QUEUE_FEED], app[app_keys.TAG_KEY])
        app[SNAPSHOT_CACHE] = SnapshotCache(composer.feed, app[app_keys.TAG_KEY])
        app[ROCKETCHAT_USERS] = rocketchat_users(composer.feed)
        app[STREAM_EVENTS] = StreamEvents(app[SNAPSHOT_CACHE])
        app[OUTAGE] = Outage()
        app[DRAINING] = asyncio.Event()
        app[WRITE_BACKLOG] = WriteBacklog()
        app[CONNECTION_LIMIT] = ConnectionLimit(settings.trusted_proxies)
        app[METRICS] = Metrics(
            StateCollector(
                links,
                logins,
                directory,
                database.login.write_access,
                app[STREAM_SCHEDULER],
                composer.watch,
                unknown,
                trail.refusals,
            ),
            app[app_keys.IMPORTS],
            call_servers.presence,
            trail.batches,
            (
                ExtensionCollector(composer.counts, links),
                HistoryCollector(history.recorders, history.writes, history.flapping),
                LoopLagCollector(loop_watch.lag),
                ProcessCollector(app[CONNECTION_LIMIT]),
            ),
        )
        if (certificate := ServedCertificate.of(settings)) is not None:
            app[SERVED_CERTIFICATE], app[CERTIFICATE_WATCH] = certificate, CertificateWatch(certificate)
            app[METRICS].registry.register(CertificateCollector(certificate))
        if (watch := call_servers.watch) is not None:
            app[app_keys.BUS] = watch.bus
            app[METRICS].registry.register(BusCollector(watch.bus))
        app[COUNT_RESPONSE] = app[METRICS].count_response
        app[OBSERVE_DURATION] = app[METRICS].observe_duration
        families = routes.families(with_metrics=settings.metrics_port is None)
        app[DESCRIPTION] = Description(families)
        app[PAGES_KEY] = Pages(settings)
        app.add_routes(routes.public(families))
        app[SYNC_HANDLERS] = routes.sync_handlers(families)
        app[PLAIN_HANDLERS] = routes.plain_handlers(families)

        supervisor = await stack.enter_async_context(Supervisor())
        call_servers.start(supervisor)
        if watch is not None:
            watch.start(supervisor)
        supervisor.start("presence", composer.run())
        supervisor.start("loop watch", loop_watch.run())
        supervisor.start("registration history", history.run())
        supervisor.start("changes", changes.run())
        supervisor.start("activity", activity.run())
        supervisor.start("audit", trail.run())
        phone_setups.start(supervisor)
        supervisor.start("SIP passwords", filler.run())
        if certificate is not None:
            supervisor.start("certificate", app[CERTIFICATE_WATCH].run())
        supervisor.start("write access", watch_write_access(database.login))
        await wait_until_loaded(changes, supervisor, settings.database_start_deadline)
        await call_servers.wait_for_first_states()
        yield app, supervisor


async def _end_held_requests(app: web.Application) -> None:
    """End streams and long-polls at once; a shutdown would otherwise wait for their readers."""
    app[app_keys.SESSION_WATCH].end_all()
