"""Checks of a request's headers, before authentication and before the body is read."""

from __future__ import annotations

from aiohttp import hdrs, web

from service.web.app_keys import SETTINGS
from service.web.http.errors import BodyEncoded, BodyTooLarge, RequestError, TransferCodingUnknown


def find_error(request: web.Request) -> RequestError | None:
    """The error in the headers; None if there is none.

    A few compressed bytes may expand to gigabytes, and no client needs a content coding for 64 KiB. So every one is
    refused, also `identity`: RFC 9110 (8.4.1) reserves it for `Accept-Encoding`. The only transfer coding is `chunked`;
    any other is a 501 (RFC 9112, 6.1).
    """
    headers = request.headers
    if hdrs.TRANSFER_ENCODING in headers:
        codings = headers.getall(hdrs.TRANSFER_ENCODING)
        if len(codings) > 1 or codings[0].lower() != "chunked":
            return TransferCodingUnknown()
    if hdrs.CONTENT_ENCODING in headers:
        return BodyEncoded()
    if (request.content_length or 0) > request.app[SETTINGS].body_limit:
        return BodyTooLarge()
    return None
