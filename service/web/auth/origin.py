"""The origin of what a request changes, for the audit trail."""

from __future__ import annotations

from aiohttp import web

from service.domain.audit import Origin
from service.domain.models import Person
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.request_id import request_id_of


def origin_of(request: web.Request, person: Person) -> Origin:
    """The caller, their address and the id of the request."""
    return Origin.of_person(person, request.app[CLIENT_ADDRESSES].of(request), request_id_of(request))
