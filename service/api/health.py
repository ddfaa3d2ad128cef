"""`/livez`, `/readyz`, `/metrics`: for orchestrators, operators and Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from service.api.errors import encode
from service.api.metrics import METRICS
from service.asterisk.link import Link
from service.keys import DIRECTORY, LINKS, SETTINGS
from service.live.device_states import Freshness


async def livez(_: web.Request) -> web.Response:
    """The process runs and its loop turns."""
    return _answer(200, {"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """503 only while this process cannot answer registration at all; a dead Asterisk only degrades it."""
    directory = request.app[DIRECTORY]
    current = directory.stale_since is None and all(link.states.current for link in request.app[LINKS].values())
    status = "ready" if current else "degraded" if directory.usable else "unavailable"
    answer: dict[str, Any] = {"status": status}
    if status != "ready" and request.app[SETTINGS].metrics_port is None:
        answer |= _parts(request.app)
    return _answer(200 if directory.usable else 503, answer)


async def details(request: web.Request) -> web.Response:
    """The whole of what `readyz` knows, on the port for operators."""
    return _answer(200, _parts(request.app))


async def metrics(request: web.Request) -> web.Response:
    """Prometheus's text format."""
    text = await request.app[METRICS].exposition()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


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


def _parts(app: web.Application) -> dict[str, Any]:
    directory = app[DIRECTORY]
    stale_since = directory.stale_since
    return {
        "directory": {
            "freshness": "live" if stale_since is None else "stale" if directory.usable else "unavailable",
            "staleSince": _told(stale_since.timestamp()) if stale_since else None,
            **directory.counts(),
        },
        "callServers": {name: described(link) for name, link in app[LINKS].items()},
    }


def _told(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def _answer(status: int, answer: dict[str, Any]) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=encode(answer), content_type="application/json", headers=headers)
