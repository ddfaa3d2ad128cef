"""Notes for the audit trail who was told a SIP password."""

from __future__ import annotations

from aiohttp import web

from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin, Subject
from service.domain.audit_batches import AuditBatches
from service.domain.models import PJSIP, Person, Phone
from service.web.http.client_address import ClientAddresses
from service.web.http.polled_request import PolledRequest
from service.web.http.request_id import request_id_of


class Disclosures:
    """The disclosures of one process, by person, phone and source."""

    def __init__(self, batches: AuditBatches, addresses: ClientAddresses) -> None:
        self.batches = batches
        self._count = batches.count
        self._source_of = addresses.source_of
        self._address_of = addresses.of

    def note(self, request: PolledRequest, person: Person, extension: str, device: str) -> None:
        """The response tells this person the SIP password of a device of this extension.

        Almost every call finds an open batch, and costs a lookup: polls call this. Nothing is awaited, nothing fails.
        """
        key = disclosure_key(person, extension, device, self._source_of(request))
        if not self._count(key):
            self.batches.open(key, lambda: self._describe(request, person, extension, device))

    def note_device_url(self, request: web.Request, extension: str, phone: Phone, shown_as: str) -> None:
        """The response tells whoever knows the phone's device URL its SIP password. `shown_as`: in what."""
        key = phone.phone_id, shown_as, self._source_of(request)
        if not self._count(key):
            address, request_id = self._address_of(request), request_id_of(request)
            origin = Origin(Actor(ActorKind.UNKNOWN), address, request_id)
            subject, details = Subject.phone(phone.endpoint, phone.phone_id), {"extension": extension, "as": shown_as}
            self.batches.open(key, lambda: AuditedChange(Action.SECRET_DISCLOSED, subject, origin, details))

    def _describe(self, request: PolledRequest, person: Person, extension: str, device: str) -> AuditedChange:
        origin = Origin.of_person(person, self._address_of(request), request_id_of(request))
        subject = Subject.phone(device.removeprefix(PJSIP))
        return AuditedChange(Action.SECRET_DISCLOSED, subject, origin, {"extension": extension})


def disclosure_key(person: Person, extension: str, device: str, source: str) -> tuple[int, str, str, str]:
    """What makes disclosures equal: who is told what, and from which source."""
    return person.user_id, extension, device, source


DISCLOSURES = web.AppKey("disclosures", Disclosures)
