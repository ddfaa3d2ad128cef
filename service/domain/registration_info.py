"""Registration info: stored credentials merged with the live device state, as the bytes of a response."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from service.domain.models import Extension, Reading, WebSocketAddress
from service.domain.state_names import ASTERISK, StateNames

AUTHTYPE = "password"
"""The contract's value for authentication by password."""


class CallServerConfig(msgspec.Struct, frozen=True, rename="camel"):
    """WebSocket address for softphones."""

    websocket_port: str
    websocket_path: str
    """A complete URL, despite its name."""


class ExtensionDetails(msgspec.Struct, frozen=True):
    """SIP credentials and line state."""

    extension: str
    password: str
    authtype: str
    state: str


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


def registration(
    extension: Extension,
    server: WebSocketAddress,
    reading: Reading,
    state_names: StateNames = ASTERISK,
    *,
    success: bool = False,
) -> Registration:
    """Merge stored and live data."""
    answer = (SuccessfulRegistrationInfo if success else RegistrationInfo)(
        host=server.host,
        call_server_config=CallServerConfig(str(server.websocket_port), server.websocket_url),
        extension_details=ExtensionDetails(extension.number, extension.secret, AUTHTYPE, state_names[reading.state]),
    )
    return Registration(_encode(answer), reading)
