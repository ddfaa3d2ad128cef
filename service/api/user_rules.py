"""What a user's fields may be, beyond their types. Each rule takes a value and returns what is stored of it."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

from service import networks
from service.api.fields import Checks
from service.credentials import is_hash, usable
from service.errors import Invalid
from service.store.users import composed

MOST_NETWORKS = 100
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+")
_NOT_IN_NAMES = frozenset({"Cc", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Control characters, ends of lines and paragraphs, what Unicode has not assigned. Joiners are part of scripts."""


def name(text: str) -> str:
    """Composed (NFC), so that what looks the same is the same. No `@`: that is what tells an e-mail from a name."""
    stored = composed(text)
    if not 1 <= len(stored) <= 200:
        raise Invalid("a name has 1 to 200 characters")
    if "@" in stored:
        raise Invalid("a name has no '@'")
    if any(unicodedata.category(letter) in _NOT_IN_NAMES for letter in stored):
        raise Invalid("a name has no control characters")
    if stored != stored.strip():
        raise Invalid("a name neither begins nor ends with a space")
    return stored


def email(text: str | None) -> str | None:
    """An empty one is none, as the original's own client has it."""
    if not text:
        return None
    stored = composed(text)
    if len(stored) > 320 or not _EMAIL.fullmatch(stored):
        raise Invalid("an e-mail is somebody@somewhere, at most 320 characters")
    return stored


def new_password(text: str) -> str:
    """One that bcrypt takes whole."""
    if is_hash(text):
        raise Invalid("this is the hash of a password, not a password")
    usable(text)
    return text


def password_or_none(text: str) -> str:
    """Empty: unchanged. A hash, too, if it is the stored one, which the caller looks at: so clients send it back."""
    return text if not text or is_hash(text) else new_password(text)


def auth_ip(listed: list[str]) -> list[str]:
    """Addresses and networks."""
    if len(listed) > MOST_NETWORKS:
        raise Invalid(f"at most {MOST_NETWORKS} addresses and networks")
    for text in listed:
        networks.network(text)
    return listed


def moment(at: datetime | None) -> datetime | None:
    """Within the years that both Python and PostgreSQL have, in UTC."""
    try:
        return at.astimezone(UTC) if at is not None else None
    except OverflowError:
        raise Invalid("this is not within the years 1 to 9999 in UTC") from None


_COMMON: dict[str, Any] = {"name": name, "email": email, "auth_ip": auth_ip, "cdr_expire": moment}
OF_NEW: Checks = {**_COMMON, "passwd": new_password}
OF_CHANGES: Checks = {**_COMMON, "passwd": password_or_none}
