"""Kinds of phones: what each is called, which media profile it needs, and how it is set up."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from service.domain.models import Profile


class SetUp(enum.StrEnum):
    """How a phone of a kind gets its configuration."""

    FETCHES = "fetches"
    """It reads a URL, at every start."""
    SCANS = "scans"
    """It scans a code that holds the SIP password."""
    IMPORTS = "imports"
    """Its user pastes a configuration that holds the SIP password."""
    TYPED = "typed"
    """Its user types the account."""


@dataclass(frozen=True, slots=True)
class PhoneKind:
    """A kind of phone."""

    name: str
    """As in the API and in PostgreSQL."""
    title: str
    """The product's name."""
    profile: Profile
    set_up: SetUp | None
    """None: a set-up link is no use to it."""


_ALL = (
    PhoneKind("linphone", "Linphone", Profile.SIP, SetUp.FETCHES),
    PhoneKind("gswave", "GS Wave", Profile.SIP, SetUp.SCANS),
    PhoneKind("groundwire", "Groundwire", Profile.SIP, SetUp.TYPED),
    PhoneKind("desk", "Desk phone", Profile.SIP, SetUp.TYPED),
    PhoneKind("browser-phone", "Browser-Phone", Profile.WEBRTC, SetUp.IMPORTS),
    PhoneKind("browser", "Browser", Profile.WEBRTC, None),
)
PHONE_KINDS = {kind.name: kind for kind in _ALL}
"""The kinds that a person may choose. Extensions' own phones and those of imports are of kind `other`: no link."""
