"""The account as a person types it: into a desk phone's page, or into an app without another way in."""

from __future__ import annotations

import enum

from service.domain.provisioning.account import SipAccount


class Field(enum.StrEnum):
    """A field of a phone's settings, which pages name in the language of the reader."""

    SERVER = "server"
    TRANSPORT = "transport"
    MEDIA_ENCRYPTION = "media_encryption"
    USERNAME = "username"
    AUTH_USERNAME = "auth_username"
    PASSWORD = "password"  # noqa: S105 - a field's name
    DISPLAY_NAME = "display_name"
    BALANCE_URL = "balance_url"


def typed_account(account: SipAccount, balance_url: str | None = None) -> dict[Field, str]:
    """Return the values by field, in the order in which phones ask for them.

    `balance_url`: for Groundwire's balance checker, which shows the state of the line. The layout of the settings was
    read in the vendors' pages, and was not tried with the phones.
    """
    fields = {
        Field.SERVER: account.authority,
        Field.TRANSPORT: account.transport.upper(),
        **({Field.MEDIA_ENCRYPTION: "SRTP (SDES)"} if account.encrypts_media else {}),
        Field.USERNAME: account.endpoint,
        Field.AUTH_USERNAME: account.auth_username,
        Field.PASSWORD: account.secret,
        Field.DISPLAY_NAME: account.shown_name,
    }
    return fields if balance_url is None else {**fields, Field.BALANCE_URL: balance_url}
