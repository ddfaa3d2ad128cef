"""Schemas of the probes and reports for orchestrators and operators."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from service.domain.device_states import Freshness
from service.web.ops.bus_status import BusStatus

Status = Literal["ready", "degraded", "unavailable"]


class Alive(msgspec.Struct, frozen=True):
    """Liveness of the process."""

    status: Literal["alive"] = "alive"


class DirectoryReport(msgspec.Struct, frozen=True, rename="camel"):
    """State and age of the in-memory directory."""

    freshness: Literal["live", "stale", "unavailable"]
    stale_since: str | None
    people: int
    tokens: int
    extensions: int
    left_out: int
    """Rows that this release cannot read."""
    unknown_call_servers: dict[str, int]
    """Numbers of extensions by call servers that the settings do not name; they cannot register."""
    unreadable_secrets: dict[str, int]
    """Numbers of phones by call server whose SIP password is encrypted with a key that this process does not have."""
    phones_without_secret: dict[str, int]
    """Numbers of phones by call server whose SIP password has ended, until a process makes another."""


class DatabaseReport(msgspec.Struct, frozen=True, rename="camel"):
    """Write access to PostgreSQL. Without it, logins and all other writing calls return 503."""

    writable: bool
    read_only_since: str | None


class PresenceConnectionReport(msgspec.Struct, frozen=True, rename="camel"):
    """Connection of the account that sets presence in a call server."""

    connected: bool
    since: str
    """Time of the last change of `connected`."""
    why_down: str | None
    """The last failure; null while connected."""


class LinkReport(msgspec.Struct, frozen=True, rename="camel"):
    """Link to one call server. Times are RFC 3339, null means never. `queues` is null while unknown."""

    credentials: Literal["managed", "imported"]
    """Whether this service owns the endpoints and SIP passwords, or Asterisk, by the settings."""
    credentials_in_database: str
    """The same in PostgreSQL. If it differs, `migrate` has not run with these settings."""
    freshness: Freshness
    since: str
    silent: bool
    devices: int
    contacts: int
    untracked: int
    queues: int | None
    last_event: str | None
    last_pong: str | None
    last_resynchronisation: str | None
    resynchronisations: int
    corrections: int
    why_ended: str | None
    refused: bool
    refused_accounts: dict[str, str]
    """Why an account beside `monitor` is not let in, or may not do what it is for, by kind."""
    presence: PresenceConnectionReport | None
    """Null without an account `presence`: no presence can be set."""


class ImportReport(msgspec.Struct, frozen=True, rename="camel"):
    """Automatic imports of a call server that owns its endpoints. Times are RFC 3339, null means never."""

    last_success: str | None
    """When the last successful import began."""
    why_failed: str | None
    """Why the last one failed; null if it succeeded."""
    missing_phones: int
    """Stored phones that the last import of this process did not find in Asterisk."""
    skipped_endpoints: int


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """All that is known."""

    database: DatabaseReport
    directory: DirectoryReport
    call_servers: dict[str, LinkReport]
    imports: dict[str, ImportReport] | UnsetType = UNSET
    """By call server. Absent if none is imported automatically."""
    bus: BusStatus | UnsetType = UNSET
    """Absent without a bus."""


class Readiness(msgspec.Struct, frozen=True, rename="camel"):
    """Readiness. Details are present when a part is degraded, unless a separate metrics port serves them."""

    status: Status
    database: DatabaseReport | UnsetType = UNSET
    directory: DirectoryReport | UnsetType = UNSET
    call_servers: dict[str, LinkReport] | UnsetType = UNSET
    imports: dict[str, ImportReport] | UnsetType = UNSET
    bus: BusStatus | UnsetType = UNSET
