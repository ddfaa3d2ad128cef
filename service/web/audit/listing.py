"""The audit trail: filtered and paginated, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.db import audit_rows
from service.db.audit_rows import AuditFilter
from service.domain.audit import ActorKind
from service.domain.permissions import Permission
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable
from service.web.app_keys import DATABASE
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.http.errors import BadArgument
from service.web.http.json_response import json_response
from service.web.http.paging import MOST, USUAL, Paging
from service.web.http.param_errors import RocketChat
from service.web.http.params import Query
from service.web.openapi.operation import Operation, Yes

MAX_OFFSET = 2**62
"""PostgreSQL counts in 64 bits."""
_TIME = {"format": "date-time"}


class AuditQuery(Paging, frozen=True):
    """Filters and page. Empty names are ignored."""

    count: Annotated[int, Meta(ge=0, description="Maximum number of items, at most 100, which 0 means too.")] = USUAL
    since: (
        Annotated[str, Meta(description="Filter: at or after this RFC 3339 timestamp.", extra_json_schema=_TIME)]
        | UnsetType
    ) = UNSET
    until: (
        Annotated[str, Meta(description="Filter: before this RFC 3339 timestamp.", extra_json_schema=_TIME)] | UnsetType
    ) = UNSET
    actor: Annotated[str, Meta(description="Filter: name of the actor.")] = ""
    subject: Annotated[
        str, Meta(description="Filter: name of the subject, such as a username or an extension number.")
    ] = ""
    action: Annotated[str, Meta(description="Filter: action, or all of a kind with `user.*`.")] = ""


AUDIT = Query(AuditQuery, RocketChat, stored=True)


class AuditActor(msgspec.Struct, frozen=True, rename="camel"):
    """Who acted. Both values are those of that time."""

    kind: ActorKind
    user_id: int | UnsetType = UNSET
    name: str | UnsetType = UNSET


class AuditSubject(msgspec.Struct, frozen=True):
    """Whose, or what. `id` is a user's number or a phone's ID."""

    kind: str
    id: int | UnsetType = UNSET
    name: str | UnsetType = UNSET


class AuditEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One entry. With a `count` above 1 it stands for equal ones from `details.since` to `at`."""

    id: int
    at: str
    action: str
    actor: AuditActor
    count: int
    details: dict[str, Any]
    subject: AuditSubject | UnsetType = UNSET
    address: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET


class AuditEntries(msgspec.Struct, frozen=True):
    """Page of matching entries, newest first. `total` counts all matches, up to 10,000."""

    audit: list[AuditEntry]
    offset: int
    count: int
    total: int
    success: Yes = True


async def list_audit(request: web.Request) -> web.Response:
    """GET /api/v1/audit"""
    require_permission(await require_caller(request), Permission.VIEW_LOGS)
    query = AUDIT.decode(request)
    matching = AuditFilter(
        since=_parse_time(query.since, "since"),
        until=_parse_time(query.until, "until"),
        actor=query.actor or None,
        subject=query.subject or None,
        action=query.action.removesuffix("*") or None,
    )
    limit = query.most or MOST
    rows, total = await audit_rows.page(request.app[DATABASE], matching, min(query.offset, MAX_OFFSET), limit)
    return json_response(AuditEntries([_render(row) for row in rows], query.offset, limit, total))


def _render(row: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        id=row["audit_id"],
        at=rfc3339_ms(row["at"]),
        action=row["action"],
        actor=AuditActor(ActorKind(row["actor_kind"]), _given(row["actor_id"]), _given(row["actor"])),
        count=row["count"],
        details=msgspec.json.decode(row["details"]),
        subject=AuditSubject(row["subject_kind"], _given(row["subject_id"]), _given(row["subject"]))
        if row["subject_kind"] is not None
        else UNSET,
        address=_given(row["address"]),
        request_id=_given(row["request_id"]),
    )


def _given(value: Any) -> Any:
    return UNSET if value is None else value


def _parse_time(text: str | UnsetType, field: str) -> datetime | None:
    """The time; None without one. Raises BadArgument."""
    if isinstance(text, UnsetType):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            rfc3339_ms(moment)
            return moment
    except (ValueError, OverflowError):
        pass
    raise BadArgument(f"Expected a time with its zone in field {field}")


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/audit",
        handler=list_audit,
        summary="Audit trail, paginated",
        details="Newest first. Every change has an entry. Equal disclosures of SIP passwords are counted per hour, "
        "refusals per minute, in entries with a `count`. No entry holds a password, a token or a hash.",
        query=AUDIT,
        answer=AuditEntries,
        permission=Permission.VIEW_LOGS,
        errors=(BadArgument("Expected a time with its zone in field since"), DatabaseUnavailable),
    ),
)
