"""The audit trail's values: what was done, by whom, to whom, and from where."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.models import Person

MAX_NAME, MAX_ADDRESS, MAX_REQUEST_ID = 400, 100, 64
"""Limits of the table's columns, in characters. Longer values are cut."""

Detail = str | int | bool | list[str]


class Action(enum.StrEnum):
    """What was done. A new action is one more line here."""

    LOGIN = "login"
    LOGIN_REFUSED = "login.refused"
    TOKEN_ISSUED = "token.issued"  # noqa: S105 - an action's name
    TOKEN_REVOKED = "token.revoked"  # noqa: S105
    TOKEN_REFUSED = "token.refused"  # noqa: S105
    TOKEN_TICKET = "token.ticket"  # noqa: S105
    BOARD_CODE = "board.code"
    BOARD_TOKEN = "board.token"  # noqa: S105
    SECRET_DISCLOSED = "secret.disclosed"  # noqa: S105
    EXTENSION_CREATED = "extension.created"
    EXTENSION_UPDATED = "extension.updated"
    EXTENSION_DELETED = "extension.deleted"
    EXTENSION_ASSIGNED = "extension.assigned"
    EXTENSION_UNASSIGNED = "extension.unassigned"
    EXTENSION_ENABLED = "extension.enabled"
    EXTENSION_DISABLED = "extension.disabled"
    EXTENSIONS_IMPORTED = "extension.imported"
    PHONE_CREATED = "phone.created"
    PHONE_SETUP = "phone.setup"
    PHONE_DELETED = "phone.deleted"
    PHONE_ROTATED = "phone.rotated"
    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_DELETED = "user.deleted"
    USER_PASSWORD = "user.password"  # noqa: S105
    USER_ACTIVATED = "user.activated"
    USER_DEACTIVATED = "user.deactivated"
    USER_NETWORKS = "user.networks"
    PRESENCE_SET = "presence.set"
    SECRETS_REKEYED = "secrets.rekeyed"
    BACKUP_MADE = "backup.made"
    BACKUP_RESTORED = "backup.restored"
    DEMO_LOADED = "demo.loaded"
    AUDIT_PRUNED = "audit.pruned"


class ActorKind(enum.StrEnum):
    """Kind of an actor."""

    PERSON = "person"
    """A user of this service, by a token or a login."""
    COMMAND_LINE = "command_line"
    """A user of the machine on which a command ran."""
    SERVICE = "service"
    """The service itself, such as an automatic import."""
    DATABASE = "database"
    """A PostgreSQL role that changed a table with SQL of its own."""
    UNKNOWN = "unknown"
    """Somebody who was refused, or who holds the set-up link or the device URL of a phone."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. Both values stay in the trail after the user is deleted."""

    kind: ActorKind
    name: str | None = None
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Who acts, and from where."""

    actor: Actor
    address: str | None = None
    """The client's address; for the command line the name of its machine."""
    request_id: str | None = None

    @classmethod
    def of_person(cls, person: Person, address: str | None = None, request_id: str | None = None) -> Origin:
        return cls(Actor(ActorKind.PERSON, person.name, person.user_id), address, request_id)

    @classmethod
    def of_service(cls, part: str) -> Origin:
        """The service itself; `part` names the part of it that acts."""
        return cls(Actor(ActorKind.SERVICE, part))


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose, or what. A user may be named by the id alone: the row then gets the present name."""

    kind: str
    name: str | None = None
    id: int | None = None

    @classmethod
    def user(cls, user_id: int, name: str | None = None) -> Subject:
        return cls("user", name, user_id)

    @classmethod
    def extension(cls, number: str) -> Subject:
        return cls("extension", number)

    @classmethod
    def phone(cls, endpoint: str, phone_id: int | None = None) -> Subject:
        return cls("phone", endpoint, phone_id)

    @classmethod
    def token(cls, label: str, user_id: int | None = None) -> Subject:
        """A token, by its label and the user's id; never by the token or its hash."""
        return cls("token", label, user_id)

    @classmethod
    def call_server(cls, name: str) -> Subject:
        return cls("call_server", name)


@dataclass(frozen=True, slots=True)
class AuditedChange:
    """One row of the trail. `details` are few and small, and hold no secret."""

    action: Action
    subject: Subject | None
    origin: Origin
    details: Mapping[str, Detail] = field(default_factory=dict)
