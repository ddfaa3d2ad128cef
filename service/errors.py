"""What can go wrong, as facts. Each HTTP family maps them to its own envelope in `web/http/error_responses.py`.

ServiceError
├── Unavailable             a part we need is out of reach; `retry_after` seconds is a fair guess
│   ├── DatabaseUnavailable     PostgreSQL does not answer within the deadline, or not as we need it
│   │   ├── DatabaseReadOnly        it takes no changes
│   │   ├── RowUnreadable           a row holds what this release cannot read, perhaps a newer one's
│   │   └── StatementOutdated       tables or types have changed since the statement was prepared: the next try is well
│   ├── DirectoryUnavailable    PostgreSQL could not be followed for so long that memory may not answer any more
│   ├── CallServerUnavailable   this Asterisk does not answer within the deadline
│   │   └── QueuesNotKnown          nor are its queues known, whether it answers or not
│   ├── LocksHeld               a migration cannot have its locks: somebody else holds them
│   └── Overloaded              a bounded queue of ours is full
├── Refused                 the data says no
│   ├── AlreadyExists           a name, an e-mail, an extension is taken
│   │   ├── ExtensionExists         there is an extension of this number
│   │   ├── ExtensionTaken          this extension is somebody else's
│   │   └── UserTaken               another user has this name, this e-mail, or both
│   ├── NotFound                no such user, extension, call server or token
│   │   ├── NoSuchUser              nobody has this name or id
│   │   └── NoSuchExtension         nobody made it, or the user has none
│   ├── Ambiguous               a word that is the name of one person and the id of another
│   ├── LastAdmin               nobody would be left who may manage users
│   └── Invalid                 a value that cannot be stored
└── ConfigurationError      settings that cannot work; told in one line, then the process ends
"""


class ServiceError(Exception):
    """The root: everything that this service raises on purpose."""


class Unavailable(ServiceError):
    """A required component is unavailable. The caller may retry."""

    retry_after = 2
    """Seconds: the value of the `Retry-After` header."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL is unavailable, timed out, or rejects the service's statements."""


class DatabaseReadOnly(DatabaseUnavailable):
    """PostgreSQL answers, but takes no changes."""


class RowUnreadable(DatabaseUnavailable):
    """PostgreSQL answers, but a row holds what this release, or the driver, cannot read."""


class StatementOutdated(DatabaseUnavailable):
    """What a statement was prepared for has changed since. A fresh one is well, which the next try is."""


class DirectoryUnavailable(Unavailable):
    """What is in memory is too old to be answered."""


class CallServerUnavailable(Unavailable):
    """Asterisk is unavailable, timed out, or rejected the AMI account."""


class QueuesNotKnown(CallServerUnavailable):
    """The queues are unknown: no AMI link, no queue list yet, no `agent` class, or `app_queue` is not loaded."""


class LocksHeld(Unavailable):
    """A migration cannot have its locks within its deadline. What it had done is undone."""


class Overloaded(Unavailable):
    """A bounded queue of this process is full."""


class Refused(ServiceError):
    """The stored data does not allow it."""


class AlreadyExists(Refused):
    """Something unique is taken."""


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
    """It is not there."""


class NoSuchUser(NotFound):
    """No user has this name or ID."""


class NoSuchExtension(NotFound):
    """The extension does not exist, or the user has none."""


class Ambiguous(Refused):
    """A word names more than one person, each in another way."""


class LastAdmin(Refused):
    """The change would remove the last active admin."""


class Invalid(Refused):
    """The value cannot be stored."""


class ConfigurationError(ServiceError):
    """Settings or surroundings with which the process cannot work."""
