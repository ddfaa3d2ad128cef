"""The origin of what a request changes, for the audit trail."""

from __future__ import annotations

from aiohttp import web

from service.domain.audit import Origin
from service.domain.models import Person
from service.web.auth.client_address import client_address
from service.web.http.polled_request import PolledRequest


def origin_of(request: web.Request, person: Person) -> Origin:
    """The caller, their address and the id of the request."""
    return Origin.of_person(person, client_address(request), request_id_of(request))


def request_id_of(request: PolledRequest) -> str | None:
    """The id that the response carries too: the dispatcher sets it on its own kinds of requests."""
    given: str | None = getattr(request, "request_id", None)
    return given
