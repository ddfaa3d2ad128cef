"""`/livez`, `/readyz`, `/metrics`: for orchestrators, operators and Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from aiohttp import web
from msgspec import UNSET
from prometheus_client import CONTENT_TYPE_LATEST

from service.domain.call_server import CallServer
from service.domain.device_states import Freshness
from service.domain.imports.status import ImportStatus
from service.domain.models import Credentials
from service.web.app_keys import (
    BUS,
    CREDENTIAL_OWNERS,
    DATABASE,
    DIRECTORY,
    IMPORTS,
    LINKS,
    PRESENCE_CONNECTIONS,
    SETTINGS,
    UNKNOWN_CALL_SERVERS,
    PresenceConnection,
)
from service.web.auth import operator_access
from service.web.http.json_response import json_response
from service.web.openapi.operation import Auth, Operation
from service.web.ops.bus_status import bus_status
from service.web.ops.metrics import METRICS
from service.web.ops.schemas import (
    Alive,
    DatabaseReport,
    DirectoryReport,
    ImportReport,
    LinkReport,
    PresenceConnectionReport,
    Readiness,
    Report,
    Status,
)


async def livez(_: web.Request) -> web.Response:
    """The process runs and its event loop responds."""
    return json_response(Alive())


async def readyz(request: web.Request) -> web.Response:
    """503 only while this process cannot answer registration at all.

    Degraded, with a 200: an unreachable Asterisk, one in which no presence can be set, a bus without a connection, a
    read-only PostgreSQL, rows and SIP passwords that cannot be read, a failed import, and a call server whose
    `CREDENTIALS` in the settings are not those in PostgreSQL.
    """
    directory = request.app[DIRECTORY]
    writable = request.app[DATABASE].login.write_access.read_only_since is None
    links_ok = all(link.states.current and not link.refused_accounts for link in request.app[LINKS].values())
    presence_ok = all(connection.why_down is None for connection in request.app[PRESENCE_CONNECTIONS].values())
    call_servers_ok = not request.app[UNKNOWN_CALL_SERVERS].counts and not request.app[CREDENTIAL_OWNERS].differing
    directory_ok = directory.stale_since is None and not directory.rows_left_out
    secrets_ok = not directory.secret_counts.unreadable
    imports_ok = all(status.why_failed is None for status in request.app[IMPORTS].values())
    bus = request.app.get(BUS)
    bus_ok = bus is None or bus.connected()
    ready = (
        directory_ok
        and links_ok
        and presence_ok
        and secrets_ok
        and call_servers_ok
        and imports_ok
        and writable
        and bus_ok
    )
    status: Status = "ready" if ready else "degraded" if directory.usable else "unavailable"
    readiness = Readiness(status)
    if status != "ready" and request.app[SETTINGS].metrics_port is None and operator_access.is_operator(request):
        report = _report(request.app)
        readiness = Readiness(
            status, report.database, report.directory, report.call_servers, report.imports, report.bus
        )
    return json_response(readiness, 200 if directory.usable else 503)


async def details(request: web.Request) -> web.Response:
    """All details of `readyz`, on the port for operators."""
    return json_response(_report(request.app))


async def public_metrics(request: web.Request) -> web.Response:
    """The same on the port for clients. Raises Forbidden and others unless the caller is an operator."""
    operator_access.require_operator(request)
    return await metrics(request)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus's text format."""
    text = await request.app[METRICS].exposition()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def describe_link(
    link: CallServer,
    presence: PresenceConnection | None,
    credentials: Credentials,
    stored_credentials: str | None = None,
) -> LinkReport:
    """The report on one call server and its link."""
    facts, states = link.facts, link.states
    return LinkReport(
        credentials="managed" if credentials is Credentials.MANAGED else "imported",
        credentials_in_database=stored_credentials or credentials,
        freshness=states.freshness,
        since=_rfc3339(states.since.timestamp()),
        silent=states.freshness is Freshness.LIVE and states.silent,
        devices=len(states),
        contacts=len(link.contacts),
        untracked=len(link.untracked()),
        queues=len(link.queues) if link.queues is not None else None,
        last_event=_rfc3339(facts.last_event),
        last_pong=_rfc3339(facts.last_pong),
        last_resynchronisation=_rfc3339(facts.last_resynchronisation),
        resynchronisations=facts.resynchronisations,
        corrections=facts.corrections,
        why_ended=facts.why_ended,
        refused=facts.refused,
        refused_accounts=dict(link.refused_accounts),
        presence=None if presence is None else _describe_presence(presence),
    )


def _describe_presence(connection: PresenceConnection) -> PresenceConnectionReport:
    since = _rfc3339(connection.since.timestamp())
    return PresenceConnectionReport(connected=connection.connected, since=since, why_down=connection.why_down)


def _report(app: web.Application) -> Report:
    directory = app[DIRECTORY]
    stale_since = directory.stale_since
    read_only_since = app[DATABASE].login.write_access.read_only_since
    return Report(
        DatabaseReport(
            writable=read_only_since is None,
            read_only_since=_rfc3339(read_only_since.timestamp()) if read_only_since else None,
        ),
        DirectoryReport(
            freshness="live" if stale_since is None else "stale" if directory.usable else "unavailable",
            stale_since=_rfc3339(stale_since.timestamp()) if stale_since else None,
            left_out=directory.rows_left_out,
            **directory.counts(),
            unknown_call_servers=app[UNKNOWN_CALL_SERVERS].counts,
            unreadable_secrets=dict(directory.secret_counts.unreadable),
            phones_without_secret=dict(directory.secret_counts.without),
        ),
        {
            name: describe_link(
                link,
                app[PRESENCE_CONNECTIONS].get(name),
                app[SETTINGS].call_servers[name].credentials,
                app[CREDENTIAL_OWNERS].differing.get(name),
            )
            for name, link in app[LINKS].items()
        },
        {name: _describe_import(status) for name, status in app[IMPORTS].items()} or UNSET,
        bus_status(app),
    )


def _describe_import(status: ImportStatus) -> ImportReport:
    return ImportReport(
        last_success=_rfc3339(status.last_success),
        why_failed=status.why_failed,
        missing_phones=status.missing,
        skipped_endpoints=status.skipped,
    )


@overload
def _rfc3339(moment: float) -> str: ...
@overload
def _rfc3339(moment: None) -> None: ...
def _rfc3339(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


OPERATIONS = (
    Operation(
        method="GET",
        path="/livez",
        handler=livez,
        summary="Liveness probe",
        auth=Auth.NONE,
        answer=Alive,
    ),
    Operation(
        method="GET",
        path="/readyz",
        handler=readyz,
        summary="Readiness probe with details of degraded parts",
        details="503 only while registration info cannot be served at all. An unreachable Asterisk or a "
        "read-only PostgreSQL is reported as degraded. Details require a loopback connection or an admin's token.",
        auth=Auth.NONE,
        answer=Readiness,
        other_answers={503: Readiness},
    ),
)
METRICS_OPERATION = Operation(
    method="GET",
    path="/metrics",
    handler=public_metrics,
    summary="Metrics in the Prometheus text format",
    details="Loopback connections need no token. Others require an admin's token.",
    auth=Auth.TOKEN_ELSEWHERE,
    answer=None,
    media_type="text/plain",
)
