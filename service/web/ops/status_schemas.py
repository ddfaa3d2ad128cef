"""Schemas of the status calls."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.domain.device_states import Freshness
from service.domain.models import DeviceState, Profile
from service.domain.status.reason import ReasonCode
from service.web.ops.bus_status import BusStatus

Number = Annotated[int, Meta(ge=0)]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, UTC."""
DEFAULT_LIMIT, MAX_LIMIT = 500, 1000
_STATES = ", ".join(state.value for state in DeviceState)


class StatusQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Filters and page."""

    call_server: Annotated[str, Meta(description="Filter: name of the call server.")] = ""
    state: Annotated[
        DeviceState | None, Meta(description="Filter: state.", extra={"expected": f"one of {_STATES}"})
    ] = None
    live: Annotated[Literal["true", "false"] | None, Meta(description="Filter: whether the state is live.")] = None
    after: Annotated[
        str, Meta(description="Extension number after which the page begins: `next` of the page before.")
    ] = ""
    limit: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_LIMIT,
            description="Maximum number of extensions.",
            extra={"expected": f"a whole number from 1 to {MAX_LIMIT}"},
        ),
    ] = DEFAULT_LIMIT


class StatusPath(msgspec.Struct, frozen=True):
    """The requested extension."""

    extension: Annotated[
        str,
        Meta(
            description="Extension number, or endpoint name of exactly one extension.",
            extra_json_schema={"pattern": "^[A-Za-z0-9_.+-]{1,80}$"},
        ),
    ]


class StatusReason(msgspec.Struct, frozen=True, rename="camel"):
    """Why a state is not live or no phone answers. `cause` and `nextStep` are sentences for people."""

    code: ReasonCode
    cause: str
    next_step: str


class ExtensionStatus(msgspec.Struct, frozen=True, rename="camel"):
    """An extension, stored and live. Unknown values are null."""

    extension: str
    call_server: str
    enabled: bool
    user_id: str | None
    """The uid of its user."""
    username: str | None
    state: str
    live: bool
    reason: ReasonCode | None
    """Why `state` is not live or no phone answers; null if one does."""
    since: Moment | None
    """Time of the last change, as far as the answering process has seen it."""
    devices: list[str]
    registered: bool | None
    reachable: bool | None
    address: str | None
    """Address from which a phone registered: one that answers, if any does. Likewise the next."""
    user_agent: str | None
    presence: str | None
    message: str | None


class PresenceConnectionStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The connection of the account that sets presence in a call server."""

    connected: bool
    since: Moment
    """Time of the last change of `connected`."""
    reason: StatusReason | None
    """Why no presence can be set; null while connected."""


class CallServerStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A call server with its link and the number of its extensions. Without settings most is null."""

    name: str
    in_settings: bool
    credentials: Literal["managed", "imported"] | None
    """Owner of the endpoints and SIP passwords: this service or Asterisk."""
    freshness: Freshness | None
    since: Moment | None
    """Time of the last change of `freshness`."""
    live: bool
    reason: StatusReason | None
    """Why nothing of it is live; null if the link is live."""
    presence: PresenceConnectionStatus | None
    """Null without an account `presence`: no presence can be set."""
    extensions: Number
    live_extensions: Number
    registered_extensions: Number


class DirectoryStatus(msgspec.Struct, frozen=True, rename="camel"):
    """Whether memory is PostgreSQL's content. `unavailable`: clients get no answer from memory any more."""

    freshness: Literal["live", "stale", "unavailable"]
    stale_since: Moment | None


class StatusPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of extensions, sorted by number."""

    directory: DirectoryStatus
    call_servers: list[CallServerStatus] | None
    """Null on all pages but the first."""
    extensions: list[ExtensionStatus]
    next: str | None
    """Value of `after` for the next page; null on the last."""
    bus: BusStatus | UnsetType = UNSET
    """On the first page, if there is a bus."""


class PhoneStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A stored phone, without its secret."""

    id: int
    endpoint: str
    auth_username: str
    profile: Profile
    kind: str
    label: str
    missing: bool
    """Whether the last import did not find the endpoint in Asterisk."""
    fetched: bool | None
    """Whether it ever fetched its configuration; null if unknown: PostgreSQL is out of reach."""
    last_fetched_at: Moment | None
    last_fetched_from: str | None


class ContactStatus(msgspec.Struct, frozen=True, rename="camel"):
    """One registration."""

    address: str | None
    user_agent: str | None
    expires_at: Moment | None
    reachable: bool | None
    """Whether it answered the last qualify."""
    round_trip_ms: float | None


class DeviceStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A device of the extension."""

    device: str
    counted: bool
    """Whether it is part of the extension's state. A stored phone that no hint names is not."""
    state: str
    live: bool
    phone: PhoneStatus | None
    """The stored phone, if there is one."""
    contacts: list[ContactStatus] | None
    """Null if unknown, and for a device that is no PJSIP endpoint."""


class StatusChange(msgspec.Struct, frozen=True):
    """A transition; see the registration history of presence."""

    at: Moment
    registered: bool | None
    exact: bool


class StatusTime(msgspec.Struct, frozen=True):
    """A time in which nothing was observed."""

    since: Moment
    until: Moment


class RegistrationStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The registration history of the last day; of its transitions the newest twenty, oldest first."""

    losses: Number
    flapping: bool
    changes: list[StatusChange]
    not_observed: list[StatusTime]


class StatusDetails(msgspec.Struct, frozen=True, rename="camel"):
    """All that is known of one extension."""

    directory: DirectoryStatus
    extension: ExtensionStatus
    reason: StatusReason | None
    local_number: str
    """Number under which its Asterisk dials it."""
    devices: list[DeviceStatus]
    queues: list[str] | None
    """Queues that it is a member of; null if unknown."""
    history: RegistrationStatus | None
    """Null while PostgreSQL is unreachable."""
