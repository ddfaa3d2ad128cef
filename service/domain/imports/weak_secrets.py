"""Names the phones of a source whose SIP password is easily guessed. An import takes them, as Asterisk has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.imports.source import Source, SourcePerson
from service.domain.weak_secrets import find_weakness

_NOBODY = SourcePerson()


@dataclass(frozen=True, slots=True)
class WeakPhone:
    """A phone with an easily guessed SIP password, and the reason, which holds no part of it."""

    extension: str
    endpoint: str
    reason: str


def find_weak_phones(source: Source, numbers: Mapping[str, str]) -> tuple[WeakPhone, ...]:
    """Find them among the phones that an import takes. `numbers` are those of the plan. Sorted by endpoint."""
    found = []
    for phone in sorted(source.phones, key=lambda phone: phone.endpoint):
        if phone.number not in numbers:
            continue
        person = source.people.get(phone.number, _NOBODY)
        email = (person.email or "").partition("@")[0]
        names = (phone.number, phone.endpoint, phone.auth_username, person.name, person.fullname, email)
        if (reason := find_weakness(phone.secret, names)) is not None:
            found.append(WeakPhone(numbers[phone.number], phone.endpoint, reason))
    return tuple(found)
