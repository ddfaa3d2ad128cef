"""Notes for the audit trail who was told a SIP password."""

from __future__ import annotations

from aiohttp import web

from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.domain.audit_batches import AuditBatches
from service.domain.models import PJSIP, Person
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.polled_request import PolledRequest
from service.web.http.request_id import request_id_of

DISCLOSURES = web.AppKey("disclosures", AuditBatches)


def note_disclosure(request: PolledRequest, person: Person, extension: str, device: str) -> None:
    """The response tells this person the SIP password of a device of this extension.

    Almost every call finds an open batch, and costs a lookup: polls call this. Nothing is awaited, and nothing fails.
    """
    batches, addresses = request.app[DISCLOSURES], request.app[CLIENT_ADDRESSES]
    key = person.user_id, extension, device, addresses.source_of(request)
    if not batches.count(key):
        batches.open(key, lambda: _disclosed(request, person, extension, device, addresses.of(request)))


def _disclosed(request: PolledRequest, person: Person, extension: str, device: str, address: str) -> AuditedChange:
    origin = Origin.of_person(person, address, request_id_of(request))
    subject = Subject.phone(device.removeprefix(PJSIP))
    return AuditedChange(Action.SECRET_DISCLOSED, subject, origin, {"extension": extension})
