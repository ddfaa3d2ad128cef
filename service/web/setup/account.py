"""The SIP account of a phone that a token opens."""

from __future__ import annotations

from service.domain.directory import Directory
from service.domain.provisioning.account import SipAccount
from service.errors import SecretUnavailable
from service.web.setup.access import Opened


def account_of(opened: Opened, directory: Directory, secret: str | None) -> SipAccount:
    """The account with this SIP password. Raises SecretUnavailable if it is None."""
    phone, address = opened.phone, opened.server.sip_address
    if secret is None:
        raise SecretUnavailable(f"there is no SIP password of endpoint {phone.endpoint} that this service can read")
    person = directory.extension_holder(opened.extension)
    return SipAccount(
        phone.endpoint,
        phone.auth_username,
        secret,
        (person.display_name or person.name) if person is not None else opened.extension.number,
        address.host,
        address.port,
        address.transport,
        address.realm,
    )
