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

    extension: Annotated[str, Meta(min_length=1, description="Extension number. May also be sent in a JSON body.")]


EXTENSION = QueryOrJson(ExtensionQuery, RocketChat)
