"""A small JSON client for the service on this machine. It never uses a proxy."""

import contextlib
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass

from local import ports

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Answer:
    """A response. The names in `headers` are lower-case."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> dict[str, object]:
        """The body as a JSON object. Raises ValueError if it is none."""
        found = json.loads(self.text)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        return found


def request(
    port: int,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
) -> Answer:
    """Send a request. Raises OSError if there is no valid response."""
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        sent = dict(headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except http.client.HTTPException as error:
            raise OSError(f"no proper answer: {error!r}") from error
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
