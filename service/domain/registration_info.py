"""Registration info: stored credentials merged with the live device state, as the bytes of a response."""

from __future__ import annotations

import hashlib
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
    """A response body, the reading behind it, and its entity tag."""

    body: bytes = field(repr=False)
    reading: Reading
    etag: str


_encode = msgspec.json.Encoder().encode


def registration(
    extension: Extension,
    server: WebSocketAddress,
    reading: Reading,
    state_names: StateNames = ASTERISK,
    *,
    tag_key: bytes,
    success: bool = False,
) -> Registration:
    """Merge stored and live data.

    The entity tag covers the body and its liveness. It is keyed, as tags appear in logs and the body contains a secret.
    All replicas share `tag_key`, so their tags are equal.
    """
    answer = (SuccessfulRegistrationInfo if success else RegistrationInfo)(
        host=server.host,
        call_server_config=CallServerConfig(str(server.websocket_port), server.websocket_url),
        extension_details=ExtensionDetails(extension.number, extension.secret, AUTHTYPE, state_names[reading.state]),
    )
    return tagged(_encode(answer), reading, tag_key)


def tagged(body: bytes, reading: Reading, tag_key: bytes) -> Registration:
    """Add the entity tag to a body."""
    mark = b"live" if reading.live else b"not live"
    digest = hashlib.blake2b(body + mark, key=tag_key, digest_size=16)
    return Registration(body, reading, f'"{digest.hexdigest()}"')
