"""The values that travel between the rooms: frozen, without behaviour that waits."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

PJSIP = "PJSIP/"
"""What the name of an endpoint's device begins with."""


class DeviceState(enum.Enum):
    """Asterisk's device states: the name is the spelling of AMI events, the value the human one.

    Both spellings are Asterisk's own (`ast_devstate_str` and `ast_devstate2str`).
    """

    UNKNOWN = "Unknown"
    NOT_INUSE = "Not in use"
    INUSE = "In use"
    BUSY = "Busy"
    INVALID = "Invalid"
    UNAVAILABLE = "Unavailable"
    RINGING = "Ringing"
    RINGINUSE = "Ring+Inuse"
    ONHOLD = "On Hold"


class NotLive(enum.StrEnum):
    """Why a state is not live: the values of the `X-State-Reason` header."""

    DISCONNECTED = "disconnected"
    SYNCHRONISING = "synchronising"
    SILENT = "silent"
    UNTRACKED = "untracked"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known about one device now. When `reason` is set the state is not live."""

    state: DeviceState
    reason: NotLive | None = None
    since: datetime | None = None
    """Since when it is not live, in UTC."""

    @property
    def live(self) -> bool:
        return self.reason is None


MAX_USER_ID = 2**63 - 1
"""The largest value of a PostgreSQL `bigint`."""


class Role(enum.StrEnum):
    """Role of a user (`user_type`)."""

    ADMIN = "admin"
    AGENT = "agent"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Person:
    """A user as far as login and permissions need to know them."""

    user_id: int
    uid: str
    name: str
    role: Role
    active: bool
    display_name: str
    email: str | None
    email_verified: bool

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN


@dataclass(frozen=True, slots=True)
class Extension:
    """A stored extension: what a phone registers with. The secret is the SIP password, in plain."""

    number: str
    call_server: str
    secret: str = field(repr=False)
    enabled: bool
    user_id: int | None

    @property
    def device(self) -> str:
        return device_of(self.number)


@dataclass(frozen=True, slots=True)
class WebSocketAddress:
    """What a softphone is told about a call server."""

    name: str
    host: str
    websocket_port: int
    websocket_url: str


def device_of(extension: str) -> str:
    """The name of the device that an extension's endpoint is for Asterisk's device states."""
    return PJSIP + extension


class Verdict(enum.StrEnum):
    """What a finding of `check` comes to, as it is printed."""

    OK = "ok"
    MISSING = "MISSING"
    """The service cannot do its work without it."""
    TOO_MUCH = "TOO MUCH"
    """More is permitted than the service needs, and a thief of its secrets would have it."""
    OPTIONAL = "optional"
    """Something is missing that not everybody needs."""
    UNKNOWN = "unknown"
    """It cannot be known with what `check` may ask."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `check` found."""

    part: str
    what: str
    remedy: str | None = None
    """What an operator does about it; None when all is well."""
    needed: bool = True
    """Whether the service cannot do its work without it."""
    otherwise: Verdict | None = None
    """The verdict of one with a remedy, where it is neither MISSING nor OPTIONAL."""
    detail: bool = False
    """Whether it is one of many of its kind: shown when it is not well, or when all are asked for."""

    @property
    def verdict(self) -> Verdict:
        if self.remedy is None:
            return Verdict.OK
        return self.otherwise or (Verdict.MISSING if self.needed else Verdict.OPTIONAL)

    @property
    def fails(self) -> bool:
        """Whether something must be done about it."""
        return self.verdict in (Verdict.MISSING, Verdict.TOO_MUCH)
