"""Reads the extensions that FreePBX's bulk handler exports. docs/import.md has the facts about its columns.

`user` is a number there, not a person. Most columns concern voicemail, recording and call forwarding.
"""

from __future__ import annotations

from service.domain.imports.csv_rows import Row, SourceBuilder
from service.domain.models import Profile
from service.domain.user_names import new_email
from service.errors import Invalid

_REQUIRED = {"extension", "tech", "secret"}
_TYPICAL = {"devicetype", "dial", "ringtimer", "sipdriver", "voicemail"}
USED = ("extension", "tech", "sipdriver", "id", "account", "username", "secret", "name", "webrtc", "voicemail_email")
_WATCHED = ("sip", "iax2")
"""Technologies without a phone of ours, whose state is followed."""


def is_export(names: list[str]) -> bool:
    """Return whether these columns are those of FreePBX."""
    return {*names} >= _REQUIRED and bool(_TYPICAL & {*names})


def columns(names: list[str]) -> list[str]:
    """Return the columns. Raises Invalid if one that is used is there twice."""
    for name in USED:
        if names.count(name) > 1:
            raise Invalid(f"line 1: the column {name} is there twice")
    return names


def add(row: Row, builder: SourceBuilder) -> None:
    """Add a row: PJSIP's devices as phones, chan_sip's and IAX2's as extensions, and no others."""
    number = row.get("extension")
    technology = row.get("tech").lower()
    if technology == "sip" and row.get("sipdriver").lower() == "chan_pjsip":
        technology = "pjsip"
    if technology in _WATCHED:
        builder.add(_own_row(row, endpoint=""), without_phone=True)
    elif technology == "pjsip":
        builder.add(_own_row(row, endpoint=row.get("id") or row.get("account") or number))
    else:
        builder.skip(number, f"its technology is {technology or 'not given'}")


def _own_row(row: Row, endpoint: str) -> Row:
    """Return the row with our own columns."""
    return Row(
        row.line,
        {
            "extension": row.get("extension"),
            "endpoint": endpoint,
            "auth_username": row.get("username"),
            "secret": row.values["secret"],
            "name": row.get("name"),
            "profile": Profile.WEBRTC.value if row.get("webrtc").lower() in ("yes", "true", "on", "1") else "",
            "email": _email(row.get("voicemail_email")),
        },
    )


def _email(text: str) -> str:
    """Return the first e-mail of a list, as voicemail has it; empty if that is none."""
    first = text.replace("|", ",").partition(",")[0].strip()
    try:
        return new_email(first) or ""
    except Invalid:
        return ""
