"""What is known of a link and of an extension, as the rules of `reasons` need it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from service.domain.contacts import Contact
from service.domain.device_states import Freshness
from service.domain.models import PJSIP, Credentials, DeviceState


class LinkFailure(enum.StrEnum):
    """Kind of the failure that ended a link."""

    UNREACHABLE = "unreachable"
    """No AMI answered before the login."""
    LOGIN_REFUSED = "login-refused"
    CLASS_MISSING = "class-missing"
    """The account lacks a class, or its event filter leaves an event out."""
    ENDED = "ended"
    """The connection ended, or a deadline passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCondition:
    """The link to one call server."""

    call_server: str
    freshness: Freshness
    silent_since: datetime | None = None
    """Time of the last proof of life, if the deadline for the next has passed."""
    why_ended: str | None = None
    """The last failure, in words; None once the link is live."""
    failure: LinkFailure | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceConnectionCondition:
    """The connection that sets presence in one call server."""

    call_server: str
    connected: bool
    why_down: str | None = None
    """The last failure, in words; None before the first attempt has ended."""
    failure: LinkFailure | None = None
    remedy: str | None = None


class Trouble(enum.StrEnum):
    """Why the last attempt to track a device did not make its state known."""

    UNKNOWN_TO_ASTERISK = "unknown-to-asterisk"
    UNTRACKED = "untracked"
    """It has a contact, and Asterisk does not follow its state."""
    FAILED = "failed"
    """An action failed; see `detail`."""


@dataclass(frozen=True, slots=True)
class DeviceTrouble:
    """The result of the last attempt to track a device."""

    trouble: Trouble
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """A device of an extension, as its link knows it."""

    device: str
    state: DeviceState | None
    """Asterisk's last state on this link; None if unknown."""
    contacts: tuple[Contact, ...] | None = None
    """None if unknown, and for a device that is no PJSIP endpoint."""
    trouble: DeviceTrouble | None = None
    missing: bool = False
    """Whether the last import did not find its endpoint."""

    @property
    def endpoint(self) -> str | None:
        """The PJSIP endpoint; None for other technologies."""
        return self.device.removeprefix(PJSIP) if self.device.startswith(PJSIP) else None


@dataclass(frozen=True, slots=True)
class HintFacts:
    """The hint of an extension's number on its call server."""

    contexts: tuple[str, ...]
    """The contexts that have one, sorted."""
    devices: tuple[str, ...]
    """All of its devices, also those that do not count; empty if `ambiguous`."""
    ambiguous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionFacts:
    """An extension with its link and its devices."""

    number: str
    local_number: str
    call_server: str
    enabled: bool = True
    inactive_user: str | None = None
    """Name of its user, if the user is inactive."""
    unreadable_user: int | None = None
    """Its user_id, if the directory has no such user: this release cannot read the row."""
    credentials: Credentials = Credentials.MANAGED
    link: LinkCondition | None
    """None if the settings do not name the call server."""
    devices: tuple[DeviceFacts, ...] = ()
    """The devices whose state counts."""
    phones: tuple[str, ...] = ()
    """The devices of the stored phones."""
    hint: HintFacts | None = None
    directory_unusable_since: datetime | None = None
    """Time of the last proof that memory is PostgreSQL's content, if clients get no answer from memory any more."""
