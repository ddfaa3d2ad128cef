"""Schemas of the calls that create, update and delete extensions."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from service.web.http.param_errors import RocketChat
from service.web.http.params import Body
from service.web.openapi.operation import Yes

SECRET_PATTERN = re.compile(r"[ -~]{12,80}")

Number = Annotated[
    str, Meta(min_length=1, description="Extension number.", extra_json_schema={"pattern": "^[A-Za-z0-9_-]{1,40}$"})
]
Secret = Annotated[str, Meta(description="SIP password.", extra_json_schema={"pattern": f"^{SECRET_PATTERN.pattern}$"})]
Profile = Literal["webrtc", "sip"]


class NewExtension(msgspec.Struct, frozen=True, rename="camel"):
    """New extension. Unassigned unless `userId` or `username` is given."""

    extension: Number
    call_server: Annotated[
        str | None, Meta(description="Call server name from the settings. Required if several are configured.")
    ] = None
    profile: Annotated[Profile | None, Meta(description="`webrtc` (default) for browsers, `sip` for other phones.")] = (
        None
    )
    secret: Annotated[Secret | None, Meta(description="SIP password. Random by default.")] = None
    user_id: Annotated[
        str | None, Meta(description="ID of the user who gets the extension in place of their previous one.")
    ] = None
    username: Annotated[str | None, Meta(description="Username, instead of the user ID.")] = None

    def __repr__(self) -> str:
        return f"NewExtension({self.extension})"  # a log must not hold the secret


NEW_EXTENSION = Body(NewExtension, RocketChat)


class ExtensionChange(msgspec.Struct, frozen=True):
    """Changes to an extension. Absent fields stay unchanged."""

    extension: Number
    profile: Profile | None = None
    enabled: Annotated[bool | None, Meta(description="`true` if the phone may register.")] = None
    secret: Secret | None = None

    def __repr__(self) -> str:
        return f"ExtensionChange({self.extension})"


EXTENSION_CHANGE = Body(ExtensionChange, RocketChat)


class ExtensionToDelete(msgspec.Struct, frozen=True):
    """Extension to delete."""

    extension: Annotated[str, Meta(min_length=1)]


EXTENSION_TO_DELETE = Body(ExtensionToDelete, RocketChat)


class KeptExtension(msgspec.Struct, frozen=True, rename="camel"):
    """Stored extension without its SIP password, which `connector.extension.getDetails` returns."""

    extension: str
    call_server: str
    profile: Profile
    enabled: bool
    user_id: str | UnsetType = UNSET
    username: str | UnsetType = UNSET


class KeptExtensionAnswer(msgspec.Struct, frozen=True):
    """Extension after the change."""

    extension: KeptExtension
    success: Yes = True
