"""The map of one call server as entries by table and key: what collectors publish, and followers keep and apply.

`read` and `keys` look into a call server, a collector's or a follower's; `service.bus.followed` writes entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from service.domain.call_server import CallServer
from service.domain.contacts import Contact
from service.domain.custom_presence import Presence
from service.domain.models import DeviceState
from service.domain.queue_entries import Averages, Caller, InQueue, Member
from service.domain.status.facts import DeviceTrouble

Table = str
Key = Any
"""A string, or a queue's name with an interface or a caller's id."""


class EndpointContacts(msgspec.Struct, frozen=True, array_like=True):
    """The contacts of an endpoint."""

    contacts: list[Contact]
    doubted: bool = False


class Entries(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Entries by table, then key; None for a key that is not in the map."""

    hints: dict[str, dict[str, str | None] | None] = {}
    devices: dict[str, DeviceState | None] = {}
    contacts: dict[str, EndpointContacts | None] = {}
    presences: dict[str, Presence | None] = {}
    averages: dict[str, Averages | None] = {}
    members: dict[InQueue, Member | None] = {}
    callers: dict[str, list[tuple[str, Caller]] | None] = {}
    troubles: dict[str, DeviceTrouble | None] = {}


TABLES: tuple[Table, ...] = Entries.__struct_fields__
"""In the order in which a whole map is applied: hints say which devices an extension has."""


def _contacts(server: CallServer, endpoint: str) -> EndpointContacts | None:
    contacts = server.contacts.reported(endpoint)
    return None if contacts is None else EndpointContacts(list(contacts), server.contacts.doubted(endpoint))


def _hints(server: CallServer, number: str) -> dict[str, str | None] | None:
    texts = server.hints.texts_of(number)
    return None if texts is None else dict(texts)


_READERS: Mapping[Table, Callable[[CallServer, Any], Any]] = {
    "hints": _hints,
    "devices": lambda server, key: server.states.get(key),
    "contacts": _contacts,
    "presences": lambda server, key: server.presences.get(key),
    "averages": lambda server, key: server.all_queues.averages.get(key),
    "members": lambda server, key: server.all_queues.members.get(key),
    "callers": lambda server, key: server.all_queues.callers.ordered(key),
    "troubles": lambda server, key: server.troubles.get(key),
}
_KEYS: Mapping[Table, Callable[[CallServer], Iterable[Any]]] = {
    "hints": lambda server: server.hints.listed_numbers(),
    "devices": lambda server: server.states.devices(),
    "contacts": lambda server: server.contacts.endpoints(),
    "presences": lambda server: server.presences,
    "averages": lambda server: server.all_queues.averages,
    "members": lambda server: server.all_queues.members,
    "callers": lambda server: server.all_queues.callers.queues(),
    "troubles": lambda server: server.troubles.devices(),
}


def read(server: CallServer, table: Table, key: Key) -> Any:
    """Return one entry of a call server's map; None if the key is not in it."""
    return _READERS[table](server, key)


def keys(server: CallServer, table: Table) -> list[Key]:
    """Return the keys of one table of a call server's map."""
    return list(_KEYS[table](server))


def by_table(entries: Entries) -> Iterator[tuple[Table, dict[Key, Any]]]:
    """Iterate over the tables that have an entry."""
    for table in TABLES:
        if values := getattr(entries, table):
            yield table, values
