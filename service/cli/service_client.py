"""Asks the service that runs on this machine, at the address that its settings name.

It connects from a loopback address also if the service listens on another one: so the service knows that the command
runs on its own machine, and needs no token.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode

import msgspec

from service.errors import Ambiguous, NoSuchExtension, ServiceError
from service.settings import Settings
from service.settings.hosts import authority

CONNECT_DEADLINE = 3.0
ANSWER_DEADLINE = 15.0
"""Seconds for one response, connecting included."""
MAX_BYTES = 32 * 1024 * 1024
"""Maximum size of one response. A thousand extensions take half a megabyte."""


class NoAnswer(ServiceError):
    """No service answers here, or not with what was asked for."""


class ServiceClient:
    """One connection, kept open: with several workers the same worker answers every request."""

    def __init__(self, settings: Settings) -> None:
        self._port = settings.http_port if settings.metrics_port is None else settings.metrics_port
        self._host = settings.http_host
        self._tls = settings.tls_certificate_file is not None and settings.metrics_port is None
        self._connection: http.client.HTTPConnection | None = None

    @property
    def url(self) -> str:
        """The address of the service, for messages."""
        return f"{'https' if self._tls else 'http'}://{authority(self._host, self._port)}"

    async def get(self, path: str, **query: object) -> dict[str, Any]:
        """The JSON object at a path. Raises NoAnswer, NoSuchExtension, Ambiguous."""
        target = f"{path}?{urlencode({name: value for name, value in query.items() if value is not None})}".rstrip("?")
        try:
            async with asyncio.timeout(ANSWER_DEADLINE):
                status, body = await asyncio.to_thread(self._request, target)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NoAnswer(f"no service answers at {self.url}: {_describe(error)}") from None
        return self._interpret(status, body)

    def close(self) -> None:
        """Close the connection; a request that is under way in another thread ends."""
        if self._connection is not None and self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            self._connection.close()

    def _request(self, target: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("GET", target, headers={"Accept": "application/json"})
        response = self._connection.getresponse()
        body = response.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise http.client.HTTPException(f"the response has more than {MAX_BYTES >> 20} MiB")
        return response.status, body

    def _connect(self) -> http.client.HTTPConnection:
        failure: OSError | None = None
        for host, source in self._addresses():
            connection = self._connection_to(host, source)
            try:
                connection.connect()
            except OSError as error:
                failure = failure or error
                continue
            connection.sock.settimeout(ANSWER_DEADLINE)
            return connection
        raise failure or OSError(f"{self._host} has no address")

    def _connection_to(self, host: str, source: str) -> http.client.HTTPConnection:
        """A connection that is not open yet."""
        options: dict[str, Any] = {"timeout": CONNECT_DEADLINE, "source_address": (source, 0)}
        if not self._tls:
            return http.client.HTTPConnection(host, self._port, **options)
        context = ssl.create_default_context()
        context.check_hostname = False  # the certificate is for the name that clients know, and no secret is sent
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, self._port, context=context, **options)

    def _addresses(self) -> Iterator[tuple[str, str]]:
        """The service's addresses, each with the loopback address to connect from."""
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        for family, address in dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found):
            loopback = "::1" if family == socket.AF_INET6 else "127.0.0.1"
            yield (loopback if ip_address(address).is_unspecified else address), loopback

    def _interpret(self, status: int, body: bytes) -> dict[str, Any]:
        try:
            answer = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            answer = {}
        error = str(answer.get("error", ""))
        match status:
            case 200 if answer:
                return answer
            case 404 if error == "Extension not found":
                raise NoSuchExtension("the service knows no such extension")
            case 409 if error:
                raise Ambiguous(error)
            case 401 | 403:
                raise NoAnswer(
                    f"the service at {self.url} does not take this command for a program of its own machine: "
                    "set CONNECTOR_METRICS_PORT"
                )
        raise NoAnswer(f"what answers at {self.url} is not this service, or another release: status {status}")


def _describe(error: Exception) -> str:
    """Return the reason, without any text that the other side sent."""
    match error:
        case TimeoutError():
            return "no response within the deadline"
        case OSError():
            return error.strerror or str(error)
    return "the response is not HTTP"
