"""The exceptions of this service. `web/http/error_responses.py` maps them to responses, one table per HTTP family.

ServiceError
├── Unavailable             a required component is unavailable; `retry_after` estimates for how long
│   ├── DatabaseUnavailable     PostgreSQL is unavailable, timed out, or rejects the service's statements
│   │   ├── DatabaseReadOnly        PostgreSQL accepts no writes
│   │   ├── RowUnreadable           this release cannot read a row, perhaps a newer release's
│   │   └── StatementOutdated       tables or types have changed since the statement was prepared; a retry succeeds
│   ├── DirectoryUnavailable    the in-memory directory is too old to answer
│   ├── CallServerUnavailable   Asterisk is unavailable, timed out, or rejected the AMI account
│   │   └── QueuesNotKnown          its queues are unknown, whether it answers or not
│   ├── SecretUnavailable       a phone has no SIP password now, or the service's keys do not open it
│   ├── LocksHeld               another session holds locks that a migration needs
│   └── Overloaded              a bounded queue of this process is full
├── Refused                 the stored data does not allow the operation
│   ├── AlreadyExists           a unique value is taken
│   │   ├── ExtensionExists         the extension number exists already
│   │   ├── ExtensionTaken          the extension is assigned to another user
│   │   └── UserTaken               another user has this name, this e-mail, or both
│   ├── NotFound                no such user, extension, call server or token
│   │   ├── NoSuchUser              no user has this name or id
│   │   ├── NoSuchExtension         the extension does not exist, or the user has none
│   │   ├── NoSuchPhone             the phone does not exist, or is another user's
│   │   └── NoSuchLink              the set-up link or device URL is unknown, or has ended
│   ├── Ambiguous               a word identifies several users or extensions
│   ├── LastAdmin               the change would remove the last active admin
│   ├── RotationUnderWay        the password before the last routine rotation is still valid
│   ├── NoSetup                 a phone is not set up by a link
│   ├── PhoneRefused            an extension gets no further phone, or must keep this one
│   ├── OwnedByAsterisk         only the Asterisk of an imported call server can make the change
│   └── Invalid                 the value cannot be stored
│       └── WeakSecret              a chosen SIP password is easily guessed
└── ConfigurationError      unusable settings or environment; reported in one line, then the process ends
"""

from datetime import UTC, datetime


class ServiceError(Exception):
    """The root of all exceptions that this service raises deliberately."""


class Unavailable(ServiceError):
    """A required component is unavailable. The caller may retry."""

    retry_after = 2
    """Seconds: the value of the `Retry-After` header."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL is unavailable, timed out, or rejects the service's statements."""


class DatabaseReadOnly(DatabaseUnavailable):
    """PostgreSQL answers but accepts no writes."""


class RowUnreadable(DatabaseUnavailable):
    """PostgreSQL answers, but this release or the driver cannot read a row."""


class StatementOutdated(DatabaseUnavailable):
    """Tables or types have changed since the statement was prepared. A retry prepares it again and succeeds."""


class DirectoryUnavailable(Unavailable):
    """The in-memory directory is too old to answer."""


class CallServerUnavailable(Unavailable):
    """Asterisk is unavailable, timed out, or rejected the AMI account."""


class QueuesNotKnown(CallServerUnavailable):
    """The queues are unknown: no AMI link, no queue list yet, no `agent` class, or `app_queue` is not loaded."""


class SecretUnavailable(Unavailable):
    """A phone has no SIP password until the service makes one, or no key of the service opens it."""


class LocksHeld(Unavailable):
    """A migration did not get its locks within its deadline. It is rolled back."""


class Overloaded(Unavailable):
    """A bounded queue of this process is full."""


class Refused(ServiceError):
    """The stored data does not allow the operation."""


class AlreadyExists(Refused):
    """A unique value is taken."""


class ExtensionExists(AlreadyExists):
    """The extension number exists already."""

    def __init__(self, extension: str) -> None:
        super().__init__(f"extension {extension} exists already")
        self.extension = extension


class ExtensionTaken(AlreadyExists):
    """The extension is assigned to another user."""

    def __init__(self, extension: str) -> None:
        super().__init__(f"extension {extension} is somebody else's")
        self.extension = extension


class UserTaken(AlreadyExists):
    """Another user has this name, this e-mail, or both: `fields` says which."""

    def __init__(self, fields: frozenset[str]) -> None:
        super().__init__(f"{' and '.join(sorted(fields))} taken")
        self.fields = fields


class NotFound(Refused):
    """The user, extension, call server or token does not exist."""


class NoSuchUser(NotFound):
    """No user has this name or ID."""


class NoSuchExtension(NotFound):
    """The extension does not exist, or the user has none."""


class NoSuchPhone(NotFound):
    """The phone does not exist, or is another user's."""


class NoSuchLink(NotFound):
    """The set-up link or device URL is unknown, or has ended."""


class NoSuchCode(NotFound):
    """The code for a board is unknown, was used, or has expired."""


class NoSetup(Refused):
    """A phone is not set up by a link: not one of this kind, or no phone without the setting `CONNECTOR_PUBLIC_URL`."""


class PhoneRefused(Refused):
    """An extension gets no further phone, or must keep this one. The error text says why."""


class Ambiguous(Refused):
    """A word identifies several users or extensions."""


class LastAdmin(Refused):
    """The change would remove the last active admin."""


class RotationUnderWay(Refused):
    """The SIP password before the last routine rotation is still valid. A second rotation would end it too early."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"the SIP password before the last rotation is valid until {until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}: "
            "rotate then, or without an overlap"
        )
        self.until = until


class OwnedByAsterisk(Refused):
    """Asterisk owns the endpoints of an imported call server. The error text says where they are changed."""

    def __init__(self, call_server: str, remedy: str) -> None:
        super().__init__(f"Asterisk owns the endpoints of call server {call_server}: {remedy}")


class Invalid(Refused):
    """The value cannot be stored."""


class WeakSecret(Invalid):
    """A chosen SIP password is easily guessed. The error text says why, without the password."""


class ConfigurationError(ServiceError):
    """Unusable settings or environment."""
