"""Values that all rooms share. They are immutable, and no method waits."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

PJSIP = "PJSIP/"
"""Prefix of an endpoint's device name."""


class DeviceState(enum.Enum):
    """Asterisk's device states: the member's name is the one in AMI events, its value the human-readable one.

    Both are Asterisk's own (`ast_devstate_str` and `ast_devstate2str`).
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

    __hash__ = object.__hash__  # of a member, which is one object; an enum's own is a call in Python


class NotLive(enum.StrEnum):
    """Why a state is not live: the values of the `X-State-Reason` header."""

    DISCONNECTED = "disconnected"
    SYNCHRONISING = "synchronising"
    SILENT = "silent"
    UNTRACKED = "untracked"
    BUS = "bus"
    """No process that holds the link is heard."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The current state of a device. If `reason` is set, the state is not live."""

    state: DeviceState
    reason: NotLive | None = None
    since: datetime | None = None
    """Since when the state is not live, in UTC."""

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


class TokenScope(enum.StrEnum):
    """What a token allows of what its user's role allows."""

    ALL = "all"
    BOARD = "board"
    """States and names, read only: for a screen on a wall."""


Access = tuple[Role, TokenScope]
"""Role of a token's user, and the token's scope. A held request ends when either changes."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user, with the fields that login and permissions need."""

    user_id: int
    uid: str
    name: str
    role: Role
    active: bool
    display_name: str
    email: str | None
    email_verified: bool
    scope: TokenScope = TokenScope.ALL
    """Of the token by which they ask."""

    @property
    def is_admin(self) -> bool:
        """Whether they may do what admins may: never by a token with another scope."""
        return self.role is Role.ADMIN and self.scope is TokenScope.ALL

    @property
    def access(self) -> Access:
        return self.role, self.scope


class Profile(enum.StrEnum):
    """Media profile of a phone."""

    WEBRTC = "webrtc"
    SIP = "sip"


class Credentials(enum.StrEnum):
    """Who owns the endpoints of a call server, with their SIP passwords."""

    MANAGED = "managed"
    """This service: Asterisk reads them from the views in PostgreSQL."""
    IMPORTED = "imported"
    """Asterisk: its configuration holds them, and PostgreSQL has copies."""


@dataclass(frozen=True, slots=True)
class PhoneSetup:
    """The tokens with which a phone fetches its configuration, as SHA-256."""

    link_hash: bytes | None
    """Of the set-up link, None if there is none. PostgreSQL counts how often it was fetched."""
    link_expires_at: float
    """The link's expiry in seconds since the epoch; 0.0 without one."""
    device_hash: bytes | None
    """Of the URL that the phone reads at each start, None if there is none."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One endpoint of an Asterisk, with an auth and an AOR of its own."""

    phone_id: int
    endpoint: str
    """Unique on its call server."""
    auth_username: str
    secret: str | None = field(repr=False)
    """The SIP password in plain text. None: there is none at the moment, or no key of the service opens it."""
    profile: Profile
    label: str = ""
    missing: bool = False
    """Whether the last import did not find the endpoint in Asterisk."""
    encrypted: bool = False
    """Whether the SIP password is encrypted in PostgreSQL."""
    kind: str = "other"
    """What the phone is, see `service/domain/phone_kinds.py`; a newer release may know more kinds."""
    setup: PhoneSetup | None = None

    @property
    def device(self) -> str:
        return device_of(self.endpoint)


@dataclass(frozen=True, slots=True)
class Extension:
    """A stored extension: a number that one dials and watches, and its phones."""

    number: str
    call_server: str
    enabled: bool
    user_id: int | None
    local_number: str
    """The number on its call server: `number` without the prefix of an import."""
    phones: tuple[Phone, ...] = ()
    """The own phone first, then in the order of their ids."""

    def answers_to(self, name: str) -> bool:
        """Whether this is the number or the endpoint of one of the phones."""
        return name == self.number or any(phone.endpoint == name for phone in self.phones)

    def phone(self, phone_id: int) -> Phone | None:
        """The phone with this id, if it is one of this extension's."""
        return next((phone for phone in self.phones if phone.phone_id == phone_id), None)

    @property
    def own_phone(self) -> Phone | None:
        """The phone whose endpoint is named by the number."""
        first = self.phones[0] if self.phones else None
        return first if first is not None and first.endpoint == self.local_number else None


@dataclass(frozen=True, slots=True)
class WebSocketAddress:
    """A call server's address for softphones."""

    name: str
    host: str
    websocket_port: int
    websocket_url: str


@dataclass(frozen=True, slots=True)
class SipAddress:
    """A call server's address for SIP phones."""

    host: str
    port: int
    transport: str
    """`udp`, `tcp` or `tls`."""
    realm: str
    """Of Asterisk's digest authentication."""


def device_of(endpoint: str) -> str:
    """Return the device name of a PJSIP endpoint."""
    return PJSIP + endpoint


class Verdict(enum.StrEnum):
    """The verdict of a finding, as `check` prints it."""

    OK = "ok"
    MISSING = "MISSING"
    """The service cannot work without it."""
    TOO_MUCH = "TOO MUCH"
    """The service has more privileges than it needs, which a thief of its secrets would get."""
    ACCEPTED = "accepted"
    """The service has more privileges than it needs, and the settings say that the operator knows."""
    WEAK = "weak"
    """It works, and a stranger may guess a password."""
    OPTIONAL = "optional"
    """A part is missing that only some installations need."""
    UNKNOWN = "unknown"
    """The privileges of `check` do not suffice to find out."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result of `check`."""

    part: str
    what: str
    remedy: str | None = None
    """The operator's remedy; None if there is no problem."""
    needed: bool = True
    """Whether the service cannot work without it."""
    otherwise: Verdict | None = None
    """The verdict of a problem that is neither MISSING nor OPTIONAL."""
    detail: bool = False
    """Whether it is one of many similar findings, shown only with a problem or with `--all`."""

    @property
    def verdict(self) -> Verdict:
        if self.remedy is None:
            return Verdict.OK
        return self.otherwise or (Verdict.MISSING if self.needed else Verdict.OPTIONAL)

    @property
    def fails(self) -> bool:
        """Whether the finding requires action."""
        return self.verdict in (Verdict.MISSING, Verdict.TOO_MUCH)
