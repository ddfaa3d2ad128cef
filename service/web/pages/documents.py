"""The HTML documents of the pages, and what the browser may do for each: its Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from service.web.http.etag import matches_etag
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse, render_headers
from service.web.pages.assets import Assets

DOCUMENTS = Path(__file__).parent / "html"
LOADING = (DOCUMENTS / "loading.js").read_text(encoding="utf-8")
"""The script that stands in each page itself: it loads a page again of which a file did not arrive."""
_LOADING_HERE = "<script>LOADING</script>"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its path, and the permissions that it needs."""

    path: str
    document: str
    """Name of its file."""
    calls: bool = False
    """Whether it makes calls: the WebSockets of call servers, the microphone, and sound."""


PAGES = (Page("/board", "board.html"), Page("/phone", "phone.html", calls=True))


class Document:
    """A page as it is sent."""

    def __init__(self, page: Page, assets: Assets, websocket_urls: Iterable[str]) -> None:
        text = (DOCUMENTS / page.document).read_text(encoding="utf-8")
        self._body = assets.document(text).replace(_LOADING_HERE, f"<script>{LOADING}</script>").encode()
        policy = content_security_policy(websocket_urls if page.calls else (), media=page.calls)
        allow = "(self)" if page.calls else "()"
        self._headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy,
            "Permissions-Policy": f"microphone={allow}, speaker-selection={allow}, camera=(), geolocation=()",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        digest = hashlib.blake2b(policy.encode() + self._body, digest_size=16).hexdigest()
        self._headers["ETag"] = self._etag = f'"{digest}"'

    def respond(self, request: PolledRequest) -> PrebuiltResponse:
        """Return the document, or a 304 to a browser that has it."""
        if matches_etag(request, self._etag):
            return PrebuiltResponse(304, render_headers(self._headers), cross_origin=False)
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(self._body))}
        return PrebuiltResponse(200, render_headers(self._headers | headers), self._body, cross_origin=False)


def content_security_policy(websocket_urls: Iterable[str], *, media: bool) -> str:
    """Return the policy of a page: this service's own files and calls, and the origins of these WebSockets."""
    loading = base64.b64encode(hashlib.sha256(LOADING.encode()).digest()).decode()
    origins = {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, websocket_urls)}
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{loading}'",
            "style-src 'self'",
            "img-src 'self'",
            " ".join(("connect-src 'self'", *sorted(origins))),
            *(("media-src 'self' blob:",) if media else ()),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
