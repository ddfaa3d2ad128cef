"""The parameter `extension` of calls about one extension."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from service.web.http.errors import BODY_ERRORS, BadArgument, ExtensionNotFound
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson

ONE_EXTENSION_ERRORS = (BadArgument("Missing key 'extension'"), ExtensionNotFound, *BODY_ERRORS)
"""The errors of such a call."""


class ExtensionQuery(msgspec.Struct, frozen=True):
    """Which extension."""

    extension: Annotated[
        str,
        Meta(
            min_length=1,
            description="Extension number, or the name of a phone's endpoint if no extension has this number and "
            "exactly one has such a phone. May also be sent in a JSON body.",
        ),
    ]


EXTENSION = QueryOrJson(ExtensionQuery, RocketChat)
PhoneId = Annotated[
    Annotated[int, Meta(ge=0)] | None,
    Meta(description="ID of another phone of the same extension. Default: the one that is meant for a softphone."),
]
