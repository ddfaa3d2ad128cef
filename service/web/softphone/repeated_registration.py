"""Answers a softphone's poll of its own registration info that comes again with the same bytes."""

from __future__ import annotations

import msgspec

from service.domain.audit_batches import AuditBatches
from service.web.auth.repeated_caller import RepeatedCaller
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.disclosures import DISCLOSURES, disclosure_key
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.http.repeated_poll import Answer
from service.web.softphone.registration_cache import REGISTRATION_CACHE, CachedRegistration, RegistrationCache


class RepeatedRegistrationPoll(msgspec.Struct, frozen=True, gc=False):
    """A poll without parameters, of the caller's own registration info."""

    caller: RepeatedCaller
    cache: RegistrationCache
    disclosures: AuditBatches
    peer: str | None
    source: str
    """The prefix of the client's address, which follows from the peer and the bytes."""
    etag: str
    """Of the last answer. The same bytes get the same status while it is the same."""
    not_modified: bool

    @classmethod
    def of(
        cls, request: PolledRequest, current: CachedRegistration, response: PrebuiltResponse
    ) -> RepeatedRegistrationPoll:
        """The poll that was answered with this response."""
        app = request.app
        return cls(
            RepeatedCaller.of(request),
            app[REGISTRATION_CACHE],
            app[DISCLOSURES].batches,
            request.remote,
            app[CLIENT_ADDRESSES].source_of(request),
            current.etag,
            response.status == 304,
        )

    def answer(self, peer: str | None) -> Answer | None:
        """The response; None if another extension, phone, secret or state makes it a new one.

        A disclosure is counted where the audit trail has it already; the first one of a window is the handler's.
        """
        caller = self.caller
        person = caller.identify()
        extension = caller.directory.extension_of_person(person) if person is not None else None
        if person is None or extension is None:
            return None
        current = self.cache.get(extension)
        if current is None or current.etag != self.etag:
            return None
        if self.not_modified:
            return (304, current.head_without_body, b"") if caller.count(person) else None
        disclosure = disclosure_key(person, extension.number, current.device, self.source)
        if peer != self.peer or disclosure not in self.disclosures or not caller.count(person):
            return None
        self.disclosures.count(disclosure)
        return 200, current.head, current.body
