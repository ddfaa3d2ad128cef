"""`/livez`, `/readyz`, `/metrics`: for orchestrators, operators and Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service.api.errors import encode
from service.api.metrics import METRICS
from service.asterisk.link import Link
from service.errors import DatabaseUnavailable
from service.keys import DATABASE, LINKS, SETTINGS
from service.live.device_states import Freshness


async def livez(_: web.Request) -> web.Response:
    """The process runs and its loop turns."""
    return _answer(200, {"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """503 only while this process cannot answer registration at all; a dead Asterisk only degrades it."""
    servers = {name: described(link) for name, link in request.app[LINKS].items()}
    database = await _database_says(request)
    live = all(server["freshness"] == Freshness.LIVE and not server["silent"] for server in servers.values())
    status = "unavailable" if database else "ready" if live else "degraded"
    answer: dict[str, Any] = {"status": status}
    if status != "ready" and request.app[SETTINGS].metrics_port is None:
        answer |= {"database": database or "reachable", "callServers": servers}
    return _answer(503 if database else 200, answer)


async def details(request: web.Request) -> web.Response:
    """The whole of what `readyz` knows, on the port for operators."""
    servers = {name: described(link) for name, link in request.app[LINKS].items()}
    return _answer(200, {"database": await _database_says(request) or "reachable", "callServers": servers})


async def metrics(request: web.Request) -> web.Response:
    """Prometheus's text format."""
    return web.Response(
        body=generate_latest(request.app[METRICS].registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


def described(link: Link) -> dict[str, Any]:
    """One call server's link, for a person."""
    facts, states = link.facts, link.states
    return {
        "freshness": states.freshness.value,
        "since": _told(states.since.timestamp()),
        "silent": states.freshness is Freshness.LIVE and states.silent,
        "devices": len(states),
        "contacts": len(link.contacts),
        "untracked": len(link.tracker.untracked()),
        "lastEvent": _told(facts.last_event),
        "lastPong": _told(facts.last_pong),
        "lastResynchronisation": _told(facts.last_resynchronisation),
        "resynchronisations": facts.resynchronisations,
        "corrections": facts.corrections,
        "whyEnded": facts.why_ended,
        "refused": facts.refused,
    }


async def _database_says(request: web.Request) -> str | None:
    """What is wrong with PostgreSQL, or None."""
    try:
        async with request.app[DATABASE].connection() as connection:
            await connection.fetchval("select 1")
    except DatabaseUnavailable as error:
        return str(error)
    return None


def _told(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _answer(status: int, answer: dict[str, Any]) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=encode(answer), content_type="application/json", headers=headers)
