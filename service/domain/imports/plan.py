"""Compares a source with what is stored of a call server, and plans the changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.extension_names import EXTENSION_NUMBER
from service.domain.imports.source import Skipped, Source, SourcePhone
from service.domain.models import Profile
from service.errors import Refused

MIN_FOREIGN = 10
"""Stored phones of which a source of the same call server has at least one."""
MAX_REMOVED = 0.1
"""Share of the stored phones, or extensions, that an import removes without being told twice."""


@dataclass(frozen=True, slots=True)
class ExistingPhone:
    """A stored phone of the call server."""

    endpoint: str
    extension: str
    auth_username: str
    secret: str | None = field(repr=False)
    """None if no key of this process opens it."""
    profile: Profile
    missing: bool = False


@dataclass(frozen=True, slots=True)
class ExistingExtension:
    """A stored extension of the call server. `local_number` is the number without the prefix of its import."""

    number: str
    local_number: str
    user_id: int | None = None

    @property
    def prefix(self) -> str | None:
        """The prefix of its import; None if the number does not end with the local one."""
        return self.number.removesuffix(self.local_number) if self.number.endswith(self.local_number) else None


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored, and which numbers belong to other call servers."""

    phones: Mapping[str, ExistingPhone]
    extensions: Mapping[str, ExistingExtension]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Call server by number."""


@dataclass(frozen=True, slots=True)
class PlannedExtension:
    """An extension to create."""

    number: str
    local_number: str


@dataclass(frozen=True, slots=True)
class PlannedPhone:
    """A phone as it shall be."""

    extension: str
    endpoint: str
    auth_username: str
    secret: str = field(repr=False)
    profile: Profile
    changes: tuple[str, ...] = ()
    """What changes, for people; empty for a new phone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of one import. Every list is sorted."""

    new_extensions: tuple[PlannedExtension, ...] = ()
    new_phones: tuple[PlannedPhone, ...] = ()
    changed_secrets: tuple[PlannedPhone, ...] = ()
    other_changes: tuple[PlannedPhone, ...] = ()
    """Changed phones whose secret stays."""
    gone_phones: tuple[ExistingPhone, ...] = ()
    """Phones whose endpoint the source lacks."""
    gone_extensions: tuple[str, ...] = ()
    """Extensions that would be left without a phone, and that the source lacks."""
    newly_missing: tuple[str, ...] = ()
    """Endpoints of stored phones to mark as missing: those gone, and those that the source has but cannot use."""
    returned: tuple[str, ...] = ()
    """Endpoints of stored phones that are no longer missing."""
    unchanged: int = 0
    """Phones that stay as they are."""
    skipped: tuple[Skipped, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    """Numbers as they are stored, by the source's number; without the skipped ones."""

    @property
    def moved(self) -> tuple[PlannedPhone, ...]:
        """Phones that change to another extension."""
        return tuple(phone for phone in (*self.changed_secrets, *self.other_changes) if "extension" in phone.changes)

    @property
    def is_empty(self) -> bool:
        """Whether applying it without `--remove-gone` changes nothing."""
        changes = (self.new_extensions, self.new_phones, self.changed_secrets, self.other_changes)
        return not any((*changes, self.newly_missing, self.returned))


def plan_import(source: Source, stored: Stored, prefix: str | None = None) -> Plan:
    """Plan the import of a source. Without a prefix, the stored extensions' one is used. Raises Refused."""
    prefix = _prefix(stored, prefix)
    numbers, refused = _numbers(source, stored, prefix)
    new, secrets, others = [], [], []
    skipped, returned, unusable = [*source.skipped], [], set()
    unchanged = 0
    for phone in sorted(source.phones, key=lambda phone: phone.endpoint):
        if phone.number in refused:
            skipped.append(Skipped(phone.endpoint, refused[phone.number]))
            unusable.add(phone.endpoint)
            continue
        before = stored.phones.get(phone.endpoint)
        planned = _planned(phone, numbers[phone.number], before)
        if before is not None and before.missing:
            returned.append(phone.endpoint)
        if before is None:
            new.append(planned)
        elif "secret" in planned.changes:
            secrets.append(planned)
        elif planned.changes:
            others.append(planned)
        else:
            unchanged += 1
    used = {phone.endpoint for phone in source.phones} - unusable
    with_phone = {phone.number for phone in source.phones}
    skipped += [Skipped(number, refused[number]) for number in refused if number not in with_phone]
    gone, newly_missing = _gone_phones(source, stored, used)
    return Plan(
        new_extensions=tuple(
            PlannedExtension(number, local)
            for local, number in sorted(numbers.items())
            if number not in stored.extensions
        ),
        new_phones=tuple(new),
        changed_secrets=tuple(secrets),
        other_changes=tuple(others),
        gone_phones=gone,
        gone_extensions=_gone_extensions(source, stored, set(numbers.values()), used),
        newly_missing=newly_missing,
        returned=tuple(returned),
        unchanged=unchanged,
        skipped=tuple(sorted(skipped, key=lambda one: (one.subject, one.reason))),
        numbers=numbers,
    )


def refuse_foreign_source(plan: Plan, stored: Stored, source: Source) -> None:
    """Raise Refused if a source has no endpoint, or none of many stored ones: it is not of this call server."""
    present = [phone for phone in stored.phones.values() if not phone.missing]
    least = MIN_FOREIGN if source.endpoints else 1
    if len(present) >= least and len(plan.newly_missing) == len(present):
        what = "has none of" if source.endpoints else "has no endpoint, and not"
        raise Refused(
            f"the source {what} the {len(present)} stored phones of this call server: is it the right one? "
            "`extension import` with --yes marks them all as missing"
        )


def refuse_mass_removal(plan: Plan, stored: Stored) -> None:
    """Raise Refused if `--remove-gone` would remove more than MAX_REMOVED."""
    for what, gone, there in (
        ("phones", len(plan.gone_phones), len(stored.phones)),
        ("extensions", len(plan.gone_extensions), len(stored.extensions)),
    ):
        if gone > MAX_REMOVED * there:
            raise Refused(
                f"--remove-gone would remove {gone} of {there} {what}, more than {MAX_REMOVED:.0%}: "
                "repeat it with --yes if the source is complete"
            )


def _prefix(stored: Stored, wanted: str | None) -> str:
    """Return the prefix of this call server's numbers. Raises Refused: one prefix holds for all of them."""
    if wanted and not EXTENSION_NUMBER.fullmatch(wanted):
        raise Refused("a prefix is 1 to 40 of A-Z a-z 0-9 _ -")
    known = {extension.prefix for extension in stored.extensions.values()} - {None}
    if wanted is None:
        if len(known) > 1:
            raise Refused(f"extensions were imported with different prefixes: {_listed(known)}; name one with --prefix")
        return next(iter(known), None) or ""
    if known and wanted not in known:
        had = f"have the prefix {_listed(known)}" if known != {""} else "have no prefix"
        raise Refused(f"extensions of this call server {had}: with another one each would be there twice")
    return wanted


def _listed(prefixes: set[str | None]) -> str:
    return ", ".join(repr(prefix) for prefix in sorted(prefix or "" for prefix in prefixes))


def _numbers(source: Source, stored: Stored, prefix: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the stored form of each usable number, and why others are not usable."""
    by_local = {extension.local_number: extension.number for extension in stored.extensions.values()}
    numbers, refused = {}, {}
    for local in sorted(source.numbers):
        number = by_local.get(local, prefix + local)
        if not EXTENSION_NUMBER.fullmatch(number):
            refused[local] = f"its number {number} would have more than 40 characters"
        elif number in stored.elsewhere:
            refused[local] = f"its number {number} belongs to call server {stored.elsewhere[number]}: use --prefix"
        elif number in stored.extensions and stored.extensions[number].local_number != local:
            refused[local] = f"its number {number} is another extension's"
        else:
            numbers[local] = number
    return numbers, refused


def _planned(phone: SourcePhone, number: str, before: ExistingPhone | None) -> PlannedPhone:
    changes = []
    if before is not None:
        after = {
            "extension": number,
            "auth_username": phone.auth_username,
            "secret": phone.secret,
            "profile": phone.profile,
        }
        changes = [name for name, value in after.items() if getattr(before, name) != value]
    return PlannedPhone(number, phone.endpoint, phone.auth_username, phone.secret, phone.profile, tuple(changes))


def _gone_phones(source: Source, stored: Stored, used: set[str]) -> tuple[tuple[ExistingPhone, ...], tuple[str, ...]]:
    """Return the phones whose endpoint the source lacks, and the endpoints to mark as missing."""
    if not source.lists_phones:
        return (), ()
    there = source.endpoints | {phone.endpoint for phone in source.phones}
    phones = [stored.phones[endpoint] for endpoint in sorted(stored.phones)]
    gone = tuple(phone for phone in phones if phone.endpoint not in there)
    return gone, tuple(phone.endpoint for phone in phones if phone.endpoint not in used and not phone.missing)


def _gone_extensions(source: Source, stored: Stored, numbers: set[str], used: set[str]) -> tuple[str, ...]:
    """Return the stored extensions that are not in `numbers`, and keep no phone that the source has but cannot use."""
    if not source.lists_phones:
        return ()
    unusable = source.endpoints - used
    kept = {phone.extension for phone in stored.phones.values() if phone.endpoint in unusable}
    return tuple(number for number in sorted(stored.extensions) if number not in numbers and number not in kept)
