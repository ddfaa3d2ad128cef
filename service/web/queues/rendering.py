"""Queues as JSON and their entity tags: each is computed once per change, for all clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from aiohttp import web

from service.ami.link import Link
from service.domain.directory import Directory
from service.domain.models import Person
from service.domain.queue_entries import Caller, Member, QueueContents
from service.domain.queue_members import extension_of
from service.domain.state_names import ASTERISK
from service.domain.timestamps import rfc3339_ms
from service.web.http.errors import encode
from service.web.http.etag import format_etag, keyed_digest
from service.web.queues.schemas import Queue, QueueMember, WaitingCaller

Owner = tuple[str | None, str | None]
"""A member's extension and the uid of the person to whom it is assigned."""
_Key = tuple[str, str, bool]
"""Call server, queue, and whether callers are named."""


@dataclass(slots=True)
class RenderedQueue:
    """A queue as JSON, and the digest of what its entity tag covers: everything but times."""

    contents: QueueContents
    mapping_version: int
    """Of the mapping from which `owners` were found."""
    owners: tuple[Owner, ...]
    json: msgspec.Raw
    digest: int


class QueueRendering:
    """Renders the queues of all call servers whose queues are known. All replicas share `tag_key`."""

    def __init__(self, links: Mapping[str, Link], directory: Directory, tag_key: bytes) -> None:
        self._links = links
        self._directory = directory
        self._tag_key = tag_key
        self._rendered: dict[_Key, RenderedQueue] = {}

    def all_for(self, person: Person) -> list[RenderedQueue]:
        """Render all queues for a reader, sorted by call server and name.

        Admins see every caller's number, others those of the queues that they are members of.
        """
        memberships = None if person.is_admin else set(self._memberships(person))
        found = {}
        for call_server, link in sorted(self._links.items()):
            for name, contents in link.queues.contents().items() if link.queues is not None else ():
                key = call_server, name, memberships is None or (call_server, name) in memberships
                found[key] = self._render(key, contents, link)
        if len(self._rendered) > 2 * len(found) + 100:
            self._rendered = {
                key: each for key, each in self._rendered.items() if key[:2] in {one[:2] for one in found}
            }
        return list(found.values())

    def etag(self, queues: Iterable[RenderedQueue]) -> str:
        """The entity tag of these queues."""
        return format_etag(sum(each.digest for each in queues))

    def _memberships(self, person: Person) -> Iterator[tuple[str, str]]:
        extension = self._directory.extension_of_person(person)
        link = self._links.get(extension.call_server) if extension is not None else None
        if extension is not None and link is not None:
            yield from ((extension.call_server, queue) for queue in link.queues_of(extension))

    def _render(self, key: _Key, contents: QueueContents, link: Link) -> RenderedQueue:
        known = self._rendered.get(key)
        version = link.mapping.version
        if known is not None and known.contents is contents and known.mapping_version == version:
            return known
        owners = tuple(self._owner(member, link) for member in contents.members)
        if known is not None and known.contents is contents and known.owners == owners:
            known.mapping_version = version
            return known
        call_server, _, names_callers = key
        facts = make_queue(call_server, contents, owners, names_callers=names_callers, with_times=False)
        queue = make_queue(call_server, contents, owners, names_callers=names_callers, with_times=True)
        digest = keyed_digest(encode(facts), self._tag_key)
        rendered = RenderedQueue(contents, version, owners, msgspec.Raw(encode(queue)), digest)
        self._rendered[key] = rendered
        return rendered

    def _owner(self, member: Member, link: Link) -> Owner:
        number = extension_of(member, link.mapping)
        extension = self._directory.extension(number) if number is not None else None
        holder = self._directory.extension_holder(extension) if extension is not None else None
        return number, holder.uid if holder is not None else None


def make_queue(
    call_server: str, contents: QueueContents, owners: Iterable[Owner], *, names_callers: bool, with_times: bool
) -> Queue:
    """Make the response's queue. Without times it is what the entity tag covers: replicas measure times themselves."""

    def time(seconds: float) -> str:
        return rfc3339_ms(datetime.fromtimestamp(seconds, UTC)) if with_times else ""

    def caller(position: int, waits: Caller) -> WaitingCaller:
        return WaitingCaller(position, time(waits.waiting_since), waits.caller_id if names_callers else None)

    def member(member: Member, owner: Owner) -> QueueMember:
        return QueueMember(
            *owner,
            name=member.name,
            state=ASTERISK[member.state],
            paused=member.paused,
            paused_reason=(member.paused_reason or None) if member.paused else None,
            paused_since=time(member.paused_at) if member.paused and member.paused_at else None,
            penalty=member.penalty,
            in_call=member.in_call,
            calls_taken=member.calls_taken,
            last_call_at=time(member.last_call_at) if member.last_call_at else None,
        )

    return Queue(
        contents.summary.name,
        call_server,
        contents.summary.logged_in,
        contents.summary.available,
        [caller(position, waits) for position, waits in enumerate(contents.callers, 1)],
        [member(each, owner) for each, owner in zip(contents.members, owners, strict=True)],
    )


QUEUE_RENDERING = web.AppKey("queue_rendering", QueueRendering)
