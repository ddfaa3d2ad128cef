"""What a source of an import says: phones, extensions and people of one call server. Numbers are without a prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.models import Profile

MAX_CREDENTIAL_LENGTH = 80
"""Maximum length of a SIP secret, and of a name to authenticate with, in characters."""
MAX_DISPLAY_NAME_LENGTH = 200
UNDECODABLE = "\ufffd"
"""Stands for bytes that are not UTF-8: such a value cannot be known."""


@dataclass(frozen=True, slots=True)
class SourcePhone:
    """An endpoint that a phone can register as."""

    number: str
    endpoint: str
    auth_username: str
    secret: str = field(repr=False)
    profile: Profile = Profile.SIP


@dataclass(frozen=True, slots=True)
class SourcePerson:
    """The person of an extension. Without a `name` the person is named by the number."""

    name: str | None = None
    fullname: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An endpoint or extension of the source that is left out, and the reason."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that the source says. Equal sources give equal plans, whatever their order."""

    phones: tuple[SourcePhone, ...]
    numbers: frozenset[str]
    """All extensions: those of the phones, and those whose state is watched without one."""
    skipped: tuple[Skipped, ...] = ()
    endpoints: frozenset[str] = frozenset()
    """All endpoints of the source, skipped ones included."""
    people: Mapping[str, SourcePerson] = field(default_factory=dict)
    """People by number."""
    lists_phones: bool = True
    """Whether the source lists phones at all. If not, it says nothing of any phone."""


def credential_problem(what: str, value: str) -> str | None:
    """Return why a secret or a name to authenticate with cannot be stored; never the value."""
    if not value:
        return f"{what} is empty"
    if UNDECODABLE in value:
        return f"{what} is not in UTF-8"
    if not value.isprintable():
        return f"{what} has characters that cannot be printed"
    if len(value) > MAX_CREDENTIAL_LENGTH:
        return f"{what} has more than {MAX_CREDENTIAL_LENGTH} characters"
    return None


def display_name(text: str) -> str | None:
    """Return a person's full name as it can be stored; None if nothing is left."""
    printable = "".join(letter for letter in text if letter.isprintable())
    return printable.strip()[:MAX_DISPLAY_NAME_LENGTH].strip() or None
