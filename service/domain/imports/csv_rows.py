"""Rows of a CSV file become phones, extensions and people; mistakes are collected with their lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.extension_names import ENDPOINT_NAME, EXTENSION_NUMBER
from service.domain.imports.source import (
    Skipped,
    Source,
    SourcePerson,
    SourcePhone,
    credential_problem,
    display_name,
)
from service.domain.models import Profile
from service.domain.user_names import new_email, new_name
from service.errors import Invalid

MAX_SHOWN = 20
"""Mistakes that an error names."""
PROFILES = tuple(profile.value for profile in Profile)


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the file: its first line, and its values by column. A value may be a secret."""

    line: int
    values: Mapping[str, str] = field(repr=False)

    def get(self, column: str) -> str:
        """The value without blanks around it; empty if the file has no such column."""
        return self.values.get(column, "").strip()


class Mistakes:
    """Collects mistakes by line."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._count = 0

    def add(self, line: int, text: str) -> None:
        """Add a mistake. `text` holds no value of the row: it may be a secret in a wrong column."""
        self._count += 1
        if len(self._texts) < MAX_SHOWN:
            self._texts.append(f"line {line}: {text}")

    def raise_if_any(self) -> None:
        """Raise Invalid with the first mistakes."""
        if self._count > len(self._texts):
            self._texts.append(f"and {self._count - len(self._texts)} more")
        if self._texts:
            raise Invalid("the file cannot be imported:\n  " + "\n  ".join(self._texts))


class SourceBuilder:
    """Adds rows, and builds the source. Without a column for secrets the file lists no phones."""

    def __init__(self, mistakes: Mistakes, *, has_secrets: bool) -> None:
        self._mistakes = mistakes
        self._has_secrets = has_secrets
        self._phones: list[SourcePhone] = []
        self._skipped: list[Skipped] = []
        self._lines_of_endpoints: dict[str, int] = {}
        self._lines_of_numbers: dict[str, int] = {}
        self._numbers: set[str] = set()
        self._people: dict[str, SourcePerson] = {}

    def add(self, row: Row, *, without_phone: bool = False) -> None:
        """Add a row of our own columns."""
        endpoint = row.get("endpoint") or row.get("extension")
        number = row.get("extension") or row.get("endpoint")
        if not EXTENSION_NUMBER.fullmatch(number):
            self._mistakes.add(row.line, "an extension is 1 to 40 of A-Z a-z 0-9 _ -")
        elif without_phone or not self._has_secrets:
            self._add_extension(row, number)
        elif not ENDPOINT_NAME.fullmatch(endpoint):
            self._mistakes.add(row.line, "an endpoint is 1 to 80 of A-Z a-z 0-9 _ . + -")
        else:
            auth_username = row.get("auth_username") or endpoint
            self._add_phone(row, number, endpoint, auth_username, row.get("profile").lower() or Profile.SIP.value)

    def skip(self, subject: str, reason: str) -> None:
        """Leave a row out."""
        self._skipped.append(Skipped(subject, reason))

    def build(self) -> Source:
        """Return the source of all rows."""
        return Source(
            phones=tuple(self._phones),
            numbers=frozenset(self._numbers),
            skipped=tuple(self._skipped),
            endpoints=frozenset(self._lines_of_endpoints),
            people=self._people,
            lists_phones=self._has_secrets,
        )

    def _add_extension(self, row: Row, number: str) -> None:
        """Add an extension without a phone."""
        if (line := self._lines_of_numbers.setdefault(number, row.line)) != row.line:
            self._mistakes.add(row.line, f"its extension is in line {line} already")
            return
        self._numbers.add(number)
        self._add_person(row, number)

    def _add_phone(self, row: Row, number: str, endpoint: str, auth_username: str, profile: str) -> None:
        """Add a phone; its secret is in the column `secret`, as it is. An endpoint without a secret is skipped."""
        if (line := self._lines_of_endpoints.setdefault(endpoint, row.line)) != row.line:
            self._mistakes.add(row.line, f"its endpoint is in line {line} already")
            return
        secret = row.values.get("secret", "")
        if not secret:
            self._skipped.append(Skipped(endpoint, "its secret is empty"))
            return
        problem = credential_problem("the secret", secret) or credential_problem("auth_username", auth_username)
        if problem is None and profile not in PROFILES:
            problem = f"a profile is {' or '.join(PROFILES)}"
        if problem is not None:
            self._mistakes.add(row.line, problem)
            return
        self._phones.append(SourcePhone(number, endpoint, auth_username, secret, Profile(profile)))
        self._numbers.add(number)
        self._add_person(row, number)

    def _add_person(self, row: Row, number: str) -> None:
        """Add what the row says of the extension's person. Rows of one extension may complete each other."""
        try:
            person = SourcePerson(
                name=new_name(row.get("user")) if row.get("user") else None,
                fullname=display_name(row.get("name")),
                email=new_email(row.get("email")),
            )
        except Invalid as error:
            self._mistakes.add(row.line, str(error))
            return
        before = self._people.get(number, SourcePerson())
        for what in ("name", "email"):
            if getattr(before, what) not in (None, getattr(person, what)) and getattr(person, what) is not None:
                column = "user" if what == "name" else what
                self._mistakes.add(row.line, f"another row of its extension has another {column}")
                return
        self._people[number] = SourcePerson(
            before.name or person.name, before.fullname or person.fullname, before.email or person.email
        )
