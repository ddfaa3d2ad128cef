"""Reads the files of the TLS certificate again when they change, and on request."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from service.web.server.certificate import ServedCertificate

INTERVAL = 5.0
"""Seconds between two looks at the files. A changed certificate is served after one or two."""


class CertificateWatch:
    """Follows the files until it is cancelled."""

    def __init__(self, certificate: ServedCertificate) -> None:
        self._certificate = certificate
        self._wanted = asyncio.Event()

    def reload_now(self) -> None:
        """Read the files now, changed or not."""
        self._wanted.set()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._wanted.wait()
            wanted = self._wanted.is_set()
            self._wanted.clear()
            await asyncio.to_thread(self._certificate.reload if wanted else self._certificate.reload_if_settled)


CERTIFICATE_WATCH = web.AppKey("certificate_watch", CertificateWatch)
