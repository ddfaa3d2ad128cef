"""What a backup says about itself, and why it cannot be restored here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

FORMAT = 1
"""The format of the file that this release writes and reads."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a backup. It holds no secret and no key."""

    format: int
    version: str
    """The release that made it."""
    made_at: datetime
    database: str
    revisions: list[str]
    """The schema's revisions."""
    server_major: int
    """PostgreSQL's major version there."""
    dump_major: int
    """The major version of the program pg_dump."""
    keys: dict[str, int]
    """The names of the keys that encrypt SIP passwords, each with the number of phones."""
    plain_secrets: int
    """Phones whose SIP password is in the dump in plain text."""
    roles: dict[str, str]
    """The roles that are not in the dump, by their purpose."""
    rows: dict[str, int]
    """The number of rows of the most important tables."""

    @property
    def revision(self) -> str:
        """The newest of its revisions."""
        return max(self.revisions, default="none")

    def find_newer_schema(self, known: Collection[str]) -> str | None:
        """Say that a newer release made it than one with these revisions; None if not."""
        if set(self.revisions) <= set(known):
            return None
        return (
            f"the backup has schema revision {self.revision}, made by release {self.version}, and this release knows "
            f"{max(known)}: restore it with release {self.version} or a newer one"
        )

    def find_missing_keys(self, names: Collection[str]) -> str | None:
        """Say which keys are missing if only these are there, and what that means; None if none is."""
        missing = {name: phones for name, phones in self.keys.items() if name not in names}
        if not missing:
            return None
        named = " and ".join(f"{name} ({phones} phones)" for name, phones in sorted(missing.items()))
        return (
            f"the SIP passwords in the backup are encrypted with key {named}, which this command does not have. "
            "Without it none of these phones registers or places a call, and nothing brings their passwords back. "
            "All else works. Set CONNECTOR_SECRETS_KEY to the key of that name, or CONNECTOR_SECRETS_PREVIOUS_KEY for "
            "the older one. If it is lost: --without-key, then `extension rotate` for every phone"
        )


def describe_secrets(manifest: Manifest) -> str:
    """Say how the SIP passwords are stored, as a sentence."""
    if manifest.plain_secrets:
        phones = manifest.plain_secrets
        return f"It holds the SIP passwords of {phones} phones in plain text: guard it like them."
    if manifest.keys:
        return f"Its SIP passwords open with the key {' and '.join(sorted(manifest.keys))}, which is not in it."
    return "It holds no SIP password."
