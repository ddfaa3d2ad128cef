"""Plans the people of an import: agents without a password, one for each extension that nobody has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.domain.imports.plan import Plan, Stored
from service.domain.imports.source import Skipped, Source, SourcePerson
from service.domain.user_names import folded


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A stored person, found by a folded name."""

    user_id: int
    name: str
    active: bool
    extension: str | None


@dataclass(frozen=True, slots=True)
class PersonOf:
    """A person that an extension is meant for."""

    extension: str
    name: str
    fullname: str | None = None
    email: str | None = None
    user_id: int | None = None
    """Set if the person exists already."""


@dataclass(frozen=True, slots=True)
class PeoplePlan:
    """The people to create, the existing ones to assign, and the extensions that get nobody. Each list is sorted."""

    new: tuple[PersonOf, ...] = ()
    assigned: tuple[PersonOf, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def wanted_people(source: Source, plan: Plan, stored: Stored) -> tuple[PersonOf, ...]:
    """Return the person that each extension without one is meant for."""
    wanted = []
    for local, number in plan.numbers.items():
        extension = stored.extensions.get(number)
        if extension is None or extension.user_id is None:
            person = source.people.get(local, SourcePerson())
            wanted.append(PersonOf(number, person.name or number, person.fullname, person.email))
    return tuple(sorted(wanted, key=lambda person: person.extension))


def plan_people(wanted: Iterable[PersonOf], known: Mapping[str, KnownPerson], emails: Mapping[str, str]) -> PeoplePlan:
    """Plan the people. `known` holds stored people by folded name, `emails` names of their holders by folded e-mail."""
    wanted = list(wanted)
    names = Counter(folded(person.name) for person in wanted)
    addresses = Counter(folded(person.email) for person in wanted if person.email)
    new, assigned, skipped = [], [], []
    for person in wanted:
        stored = known.get(folded(person.name))
        problem = _problem(person, stored, names, addresses, emails)
        if problem is not None:
            skipped.append(Skipped(person.extension, problem))
        elif stored is None:
            new.append(person)
        else:
            assigned.append(PersonOf(person.extension, stored.name, user_id=stored.user_id))
    return PeoplePlan(tuple(new), tuple(assigned), tuple(skipped))


def _problem(
    person: PersonOf,
    stored: KnownPerson | None,
    names: Mapping[str, int],
    addresses: Mapping[str, int],
    emails: Mapping[str, str],
) -> str | None:
    """Return why the extension gets nobody. Nothing is merged, and nobody loses an extension."""
    if names[folded(person.name)] > 1:
        return f"the source names {person.name} for several extensions"
    if stored is not None and stored.extension is not None:
        return f"{stored.name} has extension {stored.extension} already"
    if stored is not None and not stored.active:
        return f"{stored.name} is deactivated"
    if stored is not None or not person.email:
        return None
    if addresses[folded(person.email)] > 1:
        return f"the source has {person.email} for several people"
    if (holder := emails.get(folded(person.email))) is not None:
        return f"{person.email} is the e-mail of {holder}"
    return None
