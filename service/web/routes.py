"""All routes of the service, by family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web

from service.web.audit import listing as audit_listing
from service.web.auth import board_calls, login_calls
from service.web.connector import (
    agents,
    available_agents,
    connection_checks,
    extension_admin,
    extension_listing,
    extensions,
    queues,
)
from service.web.http.handler_types import PlainHandler, SyncHandler
from service.web.openapi import page
from service.web.openapi.operation import Operation
from service.web.ops import health, status
from service.web.pages.routes import ROUTES as PAGE_ROUTES
from service.web.phones import manage, rotate, setup_links
from service.web.presence import history, poll, rocketchat, set_own
from service.web.presence.sse import endpoint
from service.web.queues import listing as queue_listing
from service.web.setup.routes import ROUTES as SETUP_ROUTES
from service.web.softphone import registration
from service.web.users import admin, get, listing


def _prefixed_last(*operations: Operation) -> tuple[Operation, ...]:
    """Sort the repetitions under `/v1` behind the calls that they repeat."""
    return tuple(sorted(operations, key=lambda operation: operation.path.startswith("/v1/")))


FAMILIES: dict[str, tuple[Operation, ...]] = {
    "Registration": registration.OPERATIONS,
    "Extensions": (
        *extensions.OPERATIONS,
        registration.BY_EXTENSION,
        *extension_admin.OPERATIONS,
        *extension_listing.OPERATIONS,
        *agents.OPERATIONS,
        *available_agents.OPERATIONS,
    ),
    "Phones": (*manage.OPERATIONS, *setup_links.OPERATIONS, *rotate.OPERATIONS),
    "Queues": (*queue_listing.OPERATIONS, *queues.OPERATIONS, *connection_checks.OPERATIONS),
    "Login": (*login_calls.OPERATIONS, *board_calls.OPERATIONS),
    "Presence": (
        *endpoint.OPERATIONS,
        *poll.OPERATIONS,
        *history.OPERATIONS,
        *set_own.OPERATIONS,
        *rocketchat.OPERATIONS,
    ),
    "Audit": audit_listing.OPERATIONS,
    "Users": _prefixed_last(*listing.OPERATIONS, *get.OPERATIONS, *admin.OPERATIONS),
}
"""The calls for clients. A family's name is its heading in the API description."""


def families(*, with_metrics: bool) -> dict[str, tuple[Operation, ...]]:
    """All families, with the probes; with metrics and status unless they have a port of their own."""
    for_operators = (health.METRICS_OPERATION, *status.OPERATIONS) if with_metrics else ()
    return {**FAMILIES, "Health": (*health.OPERATIONS, *for_operators), "Description": page.OPERATIONS}


def public(families: Mapping[str, Iterable[Operation]]) -> list[web.RouteDef]:
    """The routes of the port for clients, with those of pages and under `/p/`, which the description leaves out."""
    return [*(operation.route() for family in families.values() for operation in family), *SETUP_ROUTES, *PAGE_ROUTES]


def sync_handlers(families: Mapping[str, Iterable[Operation]]) -> dict[tuple[str, str], SyncHandler]:
    """The synchronous handlers by method and path."""
    operations = (operation for family in families.values() for operation in family)
    return {(each.method, each.path): each.sync_handler for each in operations if each.sync_handler}


def plain_handlers(families: Mapping[str, Iterable[Operation]]) -> dict[tuple[str, str], PlainHandler]:
    """The handlers of plain requests that wait, by method and path."""
    operations = (operation for family in families.values() for operation in family)
    return {(each.method, each.path): each.plain_handler for each in operations if each.plain_handler}


def operators() -> list[web.RouteDef]:
    """The routes of the port for operators."""
    return [
        web.get("/metrics", health.metrics),
        web.get("/readyz", health.details),
        web.get("/livez", health.livez),
        web.get("/status", status.listing),
        web.get("/status/{extension}", status.details),
    ]
