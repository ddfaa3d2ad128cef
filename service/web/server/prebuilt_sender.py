"""Sends a prebuilt response through aiohttp."""

from __future__ import annotations

from aiohttp import web

from service.web.http.prebuilt_response import PrebuiltResponse


class PrebuiltSender(web.StreamResponse):
    """An aiohttp response that sends a prebuilt one."""

    def __init__(self, response: PrebuiltResponse) -> None:
        super().__init__(status=response.status)
        self._response: PrebuiltResponse | None = response
        self._request: web.BaseRequest | None = None
        self._keep_open = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open after this response."""
        return self._keep_open

    async def prepare(self, request: web.BaseRequest) -> None:
        """Sends nothing: `write_eof` sends the whole response."""
        assert self._response is not None
        self._request = request
        self._keep_open = request.keep_alive and self._response.keep_alive

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the whole response."""
        request, response = self._request, self._response
        assert request is not None
        assert response is not None
        data = response.render(request, keep_alive=self._keep_open)
        self._response = response = None  # free it: while a slow client reads, only `data` is kept
        await request.writer.write_eof(data)
