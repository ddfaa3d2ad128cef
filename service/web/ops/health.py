"""`/livez`, `/readyz`, `/metrics`: for orchestrators, operators and Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from service.ami.link import Link
from service.domain.device_states import Freshness
from service.web.app_keys import DATABASE, DIRECTORY, LINKS, SETTINGS, UNKNOWN_CALL_SERVERS
from service.web.auth import operator_access
from service.web.http.errors import encode
from service.web.openapi.operation import Auth, Operation
from service.web.ops.metrics import METRICS
from service.web.ops.schemas import Alive, DatabaseReport, DirectoryReport, LinkReport, Readiness, Report, Status


async def livez(_: web.Request) -> web.Response:
    """The process runs and its loop turns."""
    return _answer(200, Alive())


async def readyz(request: web.Request) -> web.Response:
    """503 only while this process cannot answer registration at all; a dead Asterisk only degrades it.

    So does a PostgreSQL that takes no changes, and one with rows that cannot be read.
    """
    directory = request.app[DIRECTORY]
    writable = request.app[DATABASE].login.write_access.read_only_since is None
    linked = all(link.states.current and not link.account_checks.refused for link in request.app[LINKS].values())
    named = not request.app[UNKNOWN_CALL_SERVERS].counts
    whole = directory.stale_since is None and not directory.rows_left_out
    well = whole and linked and named and writable
    status: Status = "ready" if well else "degraded" if directory.usable else "unavailable"
    answer = Readiness(status)
    if status != "ready" and request.app[SETTINGS].metrics_port is None and operator_access.is_operator(request):
        parts = _parts(request.app)
        answer = Readiness(status, parts.database, parts.directory, parts.call_servers)
    return _answer(200 if directory.usable else 503, answer)


async def details(request: web.Request) -> web.Response:
    """The whole of what `readyz` knows, on the port for operators."""
    return _answer(200, _parts(request.app))


async def public_metrics(request: web.Request) -> web.Response:
    """The same on the port for clients, for operators only."""
    operator_access.require_operator(request)
    return await metrics(request)


async def metrics(request: web.Request) -> web.Response:
    """Prometheus's text format."""
    text = await request.app[METRICS].exposition()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def described(link: Link) -> LinkReport:
    """One call server's link, for a person."""
    facts, states = link.facts, link.states
    return LinkReport(
        freshness=states.freshness,
        since=_told(states.since.timestamp()),
        silent=states.freshness is Freshness.LIVE and states.silent,
        devices=len(states),
        contacts=len(link.contacts),
        untracked=len(link.tracker.untracked()),
        queues=len(link.queues) if link.queues is not None else None,
        last_event=_told(facts.last_event),
        last_pong=_told(facts.last_pong),
        last_resynchronisation=_told(facts.last_resynchronisation),
        resynchronisations=facts.resynchronisations,
        corrections=facts.corrections,
        why_ended=facts.why_ended,
        refused=facts.refused,
        refused_accounts=link.account_checks.refused,
    )


def _parts(app: web.Application) -> Report:
    directory = app[DIRECTORY]
    stale_since = directory.stale_since
    read_only_since = app[DATABASE].login.write_access.read_only_since
    return Report(
        DatabaseReport(
            writable=read_only_since is None,
            read_only_since=_told(read_only_since.timestamp()) if read_only_since else None,
        ),
        DirectoryReport(
            freshness="live" if stale_since is None else "stale" if directory.usable else "unavailable",
            stale_since=_told(stale_since.timestamp()) if stale_since else None,
            left_out=directory.rows_left_out,
            **directory.counts(),
            unknown_call_servers=app[UNKNOWN_CALL_SERVERS].counts,
        ),
        {name: described(link) for name, link in app[LINKS].items()},
    )


@overload
def _told(moment: float) -> str: ...
@overload
def _told(moment: None) -> None: ...
def _told(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _answer(status: int, answer: msgspec.Struct) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=encode(answer), content_type="application/json", headers=headers)


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
