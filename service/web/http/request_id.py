"""The id of a request, which its response carries."""

from __future__ import annotations

from service.web.http.polled_request import PolledRequest


def request_id_of(request: PolledRequest) -> str | None:
    """The id. Our own kinds of requests have it, where the dispatcher sets it; aiohttp's does not."""
    given: str | None = getattr(request, "request_id", None)
    return given
