"""Checks of a user's fields beyond their types. Each takes a value, and returns the one to store or raises Invalid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from service.credentials import encode_new_password, is_hash
from service.domain import networks
from service.domain.user_names import new_email, new_name
from service.errors import Invalid
from service.web.http.param_decode import Checks

MAX_NETWORKS = 100


def new_password(text: str) -> str:
    """A password that bcrypt does not truncate."""
    if is_hash(text):
        raise Invalid("this is the hash of a password, not a password")
    encode_new_password(text)
    return text


def changed_password(text: str) -> str:
    """A new password; empty means unchanged. A hash passes: the caller compares it with the stored one."""
    return text if not text or is_hash(text) else new_password(text)


def check_networks(listed: list[str]) -> list[str]:
    """IP addresses and networks."""
    if len(listed) > MAX_NETWORKS:
        raise Invalid(f"at most {MAX_NETWORKS} addresses and networks")
    for text in listed:
        networks.network(text)
    return listed


def check_time(at: datetime | None) -> datetime | None:
    """A time in UTC, within the years that both Python and PostgreSQL support."""
    try:
        return at.astimezone(UTC) if at is not None else None
    except OverflowError:
        raise Invalid("this is not within the years 1 to 9999 in UTC") from None


_COMMON_CHECKS: dict[str, Any] = {
    "name": new_name,
    "email": new_email,
    "auth_ip": check_networks,
    "cdr_expire": check_time,
}
NEW_USER_CHECKS: Checks = {**_COMMON_CHECKS, "passwd": new_password}
USER_CHANGE_CHECKS: Checks = {**_COMMON_CHECKS, "passwd": changed_password}
