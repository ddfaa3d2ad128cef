"""Schemas for creating and updating users: 32 of the 39 fields. The service itself sets the other seven."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.credentials import MAX_PASSWORD_BYTES, MIN_PASSWORD_LENGTH
from service.domain.models import Role
from service.web.users.validation import MAX_NETWORKS

Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_VISIBLE = "[^@\\s\\x00-\\x1f\\x7f-\\x9f\\u00ad\\u200b\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufeff]"
Name = Annotated[
    str,
    Meta(
        description="1 to 200 printable characters without `@`, with single spaces between words. Stored in NFC. "
        "Unique, case-insensitively.",
        extra_json_schema={"minLength": 1, "maxLength": 200, "pattern": f"^{_VISIBLE}+(?: {_VISIBLE}+)*$"},
    ),
]
_LENGTHS = f"At least {MIN_PASSWORD_LENGTH} characters, at most {MAX_PASSWORD_BYTES} bytes"
NewPassword = Annotated[
    str,
    Meta(
        description=f"{_LENGTHS}.",
        extra_json_schema={"minLength": MIN_PASSWORD_LENGTH, "maxLength": MAX_PASSWORD_BYTES},
    ),
]
Password = Annotated[
    str,
    Meta(
        description=f"{_LENGTHS}. An empty string or the current hash leaves it unchanged.",
        extra_json_schema={"pattern": rf"^$|^[\s\S]{{{MIN_PASSWORD_LENGTH},}}$", "maxLength": MAX_PASSWORD_BYTES},
    ),
]
Email = Annotated[str, Meta(description="E-mail address. Unique, case-insensitively. An empty string removes it.")]
Networks = Annotated[
    list[str],
    Meta(
        description="IP addresses and networks allowed for login, such as 192.0.2.0/24. Empty allows all.",
        extra_json_schema={"maxItems": MAX_NETWORKS},
    ),
]
Moment = Annotated[datetime, Meta(tz=True)]


class UserChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Changes to a user. Absent fields stay unchanged. Read-only and unknown fields are ignored."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    passwd: Password | UnsetType = UNSET
    """Empty, or the hash as it was shown: unchanged."""
    user_type: Role | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    fullname: str | UnsetType | None = UNSET
    auth_ip: Networks | UnsetType = UNSET
    carrier_name: str | UnsetType | None = UNSET
    default_mod: str | UnsetType = UNSET
    default_mod2: str | UnsetType = UNSET
    reseller_id: Number | UnsetType | None = UNSET
    outbound_report: bool | UnsetType = UNSET
    client_limits: list[Any] | UnsetType = UNSET
    role_id: Number | UnsetType | None = UNSET
    role_name: str | UnsetType = UNSET
    all_termination: bool | UnsetType = UNSET
    report_fields: str | UnsetType = UNSET
    client: Any | UnsetType = UNSET
    client_id: Number | UnsetType | None = UNSET
    agent: Any | UnsetType = UNSET
    report_count: str | UnsetType = UNSET
    report_group: bool | UnsetType = UNSET
    cdr_expire: Moment | UnsetType | None = UNSET
    cdr_api_token: str | UnsetType | None = UNSET
    is_preload: bool | UnsetType = UNSET
    landing_page: str | UnsetType = UNSET
    avatar_id: Number | UnsetType | None = UNSET
    default_billing_decimal: Annotated[int, Meta(ge=0, le=2**31 - 1)] | UnsetType = UNSET
    card_id: Number | UnsetType = UNSET
    show_carrier_trunk_drop_only: bool | UnsetType = UNSET

    def values(self) -> dict[str, Any]:
        """The given fields as JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.values())})"  # a log must not hold the password


class NewUser(UserChanges, frozen=True, kw_only=True):
    """New user. Name, password and role are required; other fields take database defaults."""

    name: Name
    passwd: NewPassword
    user_type: Role
