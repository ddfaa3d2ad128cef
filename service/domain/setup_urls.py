"""The URLs of a set-up link. They begin with the setting `CONNECTOR_PUBLIC_URL`, never with a Host header."""

from __future__ import annotations

from service.domain.phone_kinds import PHONE_KINDS, SetUp

NO_PUBLIC_URL = "the setting CONNECTOR_PUBLIC_URL is not set: set-up links begin with it"


def setup_page_url(public_url: str, token: str) -> str:
    """Return the URL of the page for the person who sets the phone up."""
    return f"{public_url}/p/{token}"


def scanned_url(page_url: str, kind: str) -> str | None:
    """Return the URL that an app scans as a QR code; None if it scans none, or one that holds the SIP password."""
    known = PHONE_KINDS.get(kind)
    return f"{page_url}/linphone.xml" if known is not None and known.set_up is SetUp.FETCHES else None
