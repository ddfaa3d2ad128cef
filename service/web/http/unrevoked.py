"""Reports the endpoints that a change does not lock out, because Asterisk owns their SIP passwords.

The bodies of these responses belong to clients that know no such thing, so a header and the log say it.
"""

from __future__ import annotations

import structlog
from aiohttp import web

from service.domain.models import Person
from service.web.app_keys import CREDENTIAL_OWNERS, DIRECTORY
from service.web.http.prebuilt_response import PrebuiltResponse

log = structlog.get_logger(__name__)

UNREVOKED = "X-Unrevoked-Endpoints"


def unrevoked_endpoints(request: web.Request, *numbers: str | None) -> list[str]:
    """The endpoints of these extensions that Asterisk lets register, whatever becomes of the extensions here."""
    directory = request.app[DIRECTORY]
    stored = (directory.stored_extension(number) for number in numbers if number is not None)
    return request.app[CREDENTIAL_OWNERS].unrevoked_endpoints(found for found in stored if found is not None)


def unrevoked_endpoints_of(request: web.Request, user_id: int) -> list[str]:
    """The same for the extension of a user."""
    return unrevoked_endpoints(request, request.app[DIRECTORY].number_of(user_id))


def report_unrevoked(response: web.Response | PrebuiltResponse, endpoints: list[str], by: Person) -> None:
    """Name the endpoints, if any, in a header of the response and in the log."""
    if endpoints:
        response.headers[UNREVOKED] = ", ".join(endpoints)
        log.warning("sip_passwords_unrevoked", endpoints=endpoints, by=by.user_id)
