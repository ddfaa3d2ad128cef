"""Registration info: stored credentials merged with the live device state, as the bytes of a response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.domain.models import Credentials, Extension, Phone, Profile, Reading, WebSocketAddress
from service.domain.state_names import ASTERISK, StateNames
from service.errors import SecretUnavailable

AUTHTYPE = "password"
"""The contract's value for authentication by password."""


class CallServerConfig(msgspec.Struct, frozen=True, rename="camel"):
    """WebSocket address for softphones."""

    websocket_port: str
    websocket_path: str
    """A complete URL, despite its name."""


class ExtensionDetails(msgspec.Struct, frozen=True, rename="camel"):
    """SIP credentials and line state. `extension` is the name that the phone registers as."""

    extension: str
    password: str
    authtype: str
    state: str
    auth_username: (
        Annotated[str, Meta(description="Username of the phone's authentication, if it is not `extension`.")]
        | UnsetType
    ) = UNSET


class RegistrationInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Registration info for a softphone. Keys, types and order are those of Rocket.Chat."""

    host: str
    call_server_config: CallServerConfig
    extension_details: ExtensionDetails


class SuccessfulRegistrationInfo(RegistrationInfo, frozen=True, rename="camel"):
    """Registration info with Rocket.Chat's `success` field."""

    success: bool = True


@dataclass(frozen=True, slots=True)
class Registration:
    """A response body and the reading behind it."""

    body: bytes = field(repr=False)
    reading: Reading


_encode = msgspec.json.Encoder().encode


def phone_to_register(extension: Extension, credentials: Credentials) -> Phone | None:
    """Return the phone that registration info answers without a choice of the caller; None if there is none.

    On a managed call server it is the own phone. On an imported one it is the first phone for browsers, else the own
    phone, else the first one. A phone that its Asterisk no longer has is the last choice.
    """
    if credentials is Credentials.MANAGED:
        return extension.own_phone
    present = [phone for phone in extension.phones if not phone.missing] or list(extension.phones)
    webrtc = next((phone for phone in present if phone.profile is Profile.WEBRTC), None)
    return webrtc or next(iter(present), None)


def named_phone(extension: Extension, name: str) -> Phone | None:
    """Return the phone whose endpoint a caller named instead of the number; None if `name` is the number."""
    if name == extension.number:
        return None
    return next((phone for phone in extension.phones if phone.endpoint == name), None)


def registration(
    phone: Phone,
    server: WebSocketAddress,
    reading: Reading,
    state_names: StateNames = ASTERISK,
    *,
    success: bool = False,
) -> Registration:
    """Merge the stored and live data of a phone. Raises SecretUnavailable."""
    if phone.secret is None:
        raise SecretUnavailable(f"there is no SIP password of endpoint {phone.endpoint} that this service can read")
    details = ExtensionDetails(
        phone.endpoint,
        phone.secret,
        AUTHTYPE,
        state_names[reading.state],
        phone.auth_username if phone.auth_username != phone.endpoint else UNSET,
    )
    answer = (SuccessfulRegistrationInfo if success else RegistrationInfo)(
        host=server.host,
        call_server_config=CallServerConfig(str(server.websocket_port), server.websocket_url),
        extension_details=details,
    )
    return Registration(_encode(answer), reading)
