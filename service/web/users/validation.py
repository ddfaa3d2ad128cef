"""What a user's fields may be, beyond their types. Each rule takes a value and returns what is stored of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service.credentials import encode_new_password, is_hash
from service.domain import networks
from service.domain.names import new_email, new_name
from service.errors import Invalid
from service.web.http.param_decode import Checks

MOST_NETWORKS = 100


def new_password(text: str) -> str:
    """One that bcrypt takes whole."""
    if is_hash(text):
        raise Invalid("this is the hash of a password, not a password")
    encode_new_password(text)
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


_COMMON: dict[str, Any] = {"name": new_name, "email": new_email, "auth_ip": auth_ip, "cdr_expire": moment}
OF_NEW: Checks = {**_COMMON, "passwd": new_password}
OF_CHANGES: Checks = {**_COMMON, "passwd": password_or_none}
