"""How aiohttp sends a prebuilt response."""

from __future__ import annotations

from aiohttp import web

from service.web.http.prebuilt_response import PrebuiltResponse


class PrebuiltSender(web.StreamResponse):
    """A ready answer, for aiohttp to send."""

    def __init__(self, answer: PrebuiltResponse) -> None:
        super().__init__(status=answer.status)
        self._answer: PrebuiltResponse | None = answer
        self._request: web.BaseRequest | None = None
        self._kept = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection is kept once this is sent."""
        return self._kept

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is sent before everything is known."""
        assert self._answer is not None
        self._request = request
        self._kept = request.keep_alive and self._answer.keep_alive

    async def write_eof(self, data: bytes = b"") -> None:
        """All at once."""
        request, answer = self._request, self._answer
        assert request is not None
        assert answer is not None
        sent = answer.sent(request, keep_alive=self._kept)
        self._answer = answer = None  # a client that does not read keeps what is sent, and no more
        await request.writer.write_eof(sent)
