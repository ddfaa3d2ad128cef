"""The model's side of one AMI connection: bytes in, bytes out, in Asterisk's order.

One thread of Asterisk serves a connection. Before it reads an action it writes the events that were queued until then.
A list is therefore not interleaved with events, older events may follow it, and none that is queued follows a Pong.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.simulation.wire import GREETING, error, event, message, parse, success

if TYPE_CHECKING:
    from tests.simulation.server import AmiServer

Action = dict[str, str]
SECRET = "test-only-secret"
MAX_PACKETS = 40
"""The most packets that one write is cut into, so that a long list does not take all the time of a world."""
DENIED = ("command", "originate", "setvar", "reload")
"""Actions that the account `monitor` may not send."""


class Session(asyncio.Protocol):
    """One connection. A fault may hold what it writes or reads, cut it, or leave it half-open."""

    def __init__(self, server: AmiServer) -> None:
        self._server = server
        self._asterisk = server.asterisk
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._actions: deque[Action] = deque()
        self._events: deque[bytes] = deque()
        self._list: Iterator[bytes] | None = None
        self._greeted = self._logged_in = False
        self._turn: asyncio.Handle | None = None
        self._unwritten: list[bytes] = []
        self.reads = True
        """Whether what the client sends arrives."""
        self.writes = True
        """Whether what Asterisk writes arrives."""
        self.dead = False
        """Whether the connection is over for Asterisk, known to the client or not."""

    # --- from the network --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.sessions.append(self)
        self.reads, self.writes = self._server.reads, self._server.writes
        self.wake()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        self.dead = True
        if self in self._server.sessions:
            self._server.sessions.remove(self)

    def _read(self) -> None:
        if not self.reads or self.dead:
            return
        *frames, self._received = self._received.split(b"\r\n\r\n")
        self._actions.extend(parse(frame) for frame in frames if frame)
        self.wake()

    # --- to the network ----------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self.dead:
            return
        if not self.writes:
            self._unwritten.append(data)
            return
        size = max(self._server.chunk, len(data) // MAX_PACKETS)
        for start in range(0, len(data), size):
            self._transport.write(data[start : start + size])

    # --- faults ------------------------------------------------------------------------------------------------

    def hold(self, *, reads: bool, writes: bool) -> None:
        """Hold what arrives, or let it go on: a partition, one-way or not."""
        self.reads, self.writes = reads, writes
        if writes:
            unwritten, self._unwritten = self._unwritten, []
            for data in unwritten:
                self._write(data)
        self._read()

    def reset(self) -> None:
        """Cut the connection: the client is told."""
        self.dead = True
        self._transport.abort()

    def abandon(self) -> None:
        """Forget the connection: the client is not told."""
        self.dead = True

    # --- what the thread of the connection does ------------------------------------------------------------------

    def publish(self, data: bytes) -> None:
        if self._logged_in and not self.dead:
            self._events.append(data)
            self.wake()

    def wake(self) -> None:
        if not self._server.frozen and not self._greeted:
            self._greeted = True
            self._write(GREETING)
        if self._turn is None and not self.dead and not self._server.frozen and self._has_work():
            self._turn = self._loop.call_later(self._server.pace(self._list is not None), self._take_turn)

    def _has_work(self) -> bool:
        return bool(self._list is not None or self._actions or self._events)

    def _take_turn(self) -> None:
        self._turn = None
        if self.dead or self._server.frozen:
            return
        if self._list is not None:
            self._write_some_of_the_list()
        else:
            events = b"".join(self._events)
            self._events.clear()
            if events:
                self._write(events)
            if self._actions:
                self._answer(self._actions.popleft())
        self.wake()

    def _write_some_of_the_list(self) -> None:
        assert self._list is not None
        items = []
        for _ in range(self._server.items_per_turn):
            item = next(self._list, None)
            if item is None:
                self._list = None
                break
            items.append(item)
        self._write(b"".join(items))

    # --- actions -------------------------------------------------------------------------------------------------

    def _answer(self, action: Action) -> None:
        name, id_ = action.get("action", "").lower(), action.get("actionid")
        if name == "login":
            self._log_in(action)
        elif not self._logged_in or name in DENIED:
            self._write(error(id_, "Permission denied"))
        elif (list_of := _LISTS.get(name)) is not None:
            self._list = list_of(self, action)
        elif (answer := _ANSWERS.get(name)) is not None:
            self._write(answer(self, action))
        else:
            unknown = (
                f"Invalid/unknown command: {action.get('action')}. Use Action: ListCommands to show available commands."
            )
            self._write(error(id_, unknown))

    def _log_in(self, action: Action) -> None:
        if (action.get("username"), action.get("secret")) != ("monitor", SECRET):
            self._write(error(action.get("actionid"), "Authentication failed"))
            return
        self._write(success(action.get("actionid"), ("Message", "Authentication accepted")))
        self._logged_in = True
        if self._asterisk.booted:
            self.publish(fully_booted())

    def _ping(self, action: Action) -> bytes:
        now = f"{self._server.wall():.6f}"
        return success(action.get("actionid"), ("Ping", "Pong"), ("Timestamp", now))

    def _core_status(self, action: Action) -> bytes:
        started = datetime.fromtimestamp(self._server.wall_at(self._asterisk.started_at), UTC)
        date, time = ("Date", f"{started:%Y-%m-%d}"), ("Time", f"{started:%H:%M:%S}")
        since = [(f"Core{what}{part}", value) for what in ("Startup", "Reload") for part, value in (date, time)]
        return success(action.get("actionid"), *since, ("CoreCurrentCalls", "0"), ("CoreProcessedCalls", "0"))

    def _getvar(self, action: Action) -> bytes:
        variable = action.get("variable", "")
        return success(action.get("actionid"), ("Variable", variable), ("Value", self._value(variable)))

    def _value(self, variable: str) -> str:
        function, _, rest = variable.removesuffix(")").partition("(")
        if function == "DEVICE_STATE":
            return self._asterisk.reported(rest)
        name, _, field = rest.rpartition(",")
        if function == "PJSIP_AOR":
            endpoint = self._asterisk.endpoints.get(name)
            if endpoint is None:
                return ""
            return "1" if field == "max_contacts" else ",".join(contact.id for contact in endpoint.contacts.values())
        return self._contact_field(name, field) if function == "PJSIP_CONTACT" else ""

    def _contact_field(self, id_: str, field: str) -> str:
        endpoint = self._asterisk.endpoints.get(id_.partition(";")[0])
        found = [contact for contact in endpoint.contacts.values() if contact.id == id_] if endpoint else []
        if not found:
            return ""
        return {
            "uri": found[0].uri,
            "status": found[0].status,
            "rtt": "431" if found[0].reachable else "0",
            "via_addr": "192.0.2.1",
            "via_port": "20000",
            "user_agent": "a phone",
            "expiration_time": str(int(self._server.wall()) + 3_600),
        }[field]

    def _qualify(self, action: Action) -> bytes:
        name = action.get("endpoint", "")
        if name not in self._asterisk.endpoints:
            return error(action.get("actionid"), "Unable to retrieve endpoint")
        self._server.qualify_soon(name)
        return success(action.get("actionid"), ("Message", "Endpoint found, will qualify"))

    # --- lists -----------------------------------------------------------------------------------------------------

    def _device_states(self, action: Action) -> Iterator[bytes]:
        id_ = action.get("actionid")
        yield _list_start(id_, "Device State Changes will follow")
        count = 0
        for device in self._asterisk.listed():
            if self._asterisk.running:
                count += 1
                headers = [("Device", device), ("State", self._asterisk.state(device))]
                yield event("DeviceStateChange", None, headers, id_)
        yield _list_end("DeviceStateList", id_, count)

    def _hints(self, action: Action) -> Iterator[bytes]:
        id_ = action.get("actionid")
        yield _list_start(id_, "Extension Statuses will follow")
        hints = [*self._asterisk.hints.items(), *(self._asterisk.coming_hints or {}).items()]
        for number, text in hints:
            yield event("ExtensionStatus", None, self._asterisk.hint_headers(number, text), id_)
        yield _list_end("ExtensionStateList", id_, len(hints))

    def _presences(self, action: Action) -> Iterator[bytes]:
        yield _list_start(action.get("actionid"), "Presence State Changes will follow")
        yield _list_end("PresenceStateList", action.get("actionid"), 0)

    def _contacts(self, action: Action) -> Iterator[bytes]:
        id_ = action.get("actionid")
        yield _list_start(id_, "Result will follow")
        count = 0
        for endpoint in list(self._asterisk.endpoints.values()):
            for contact in list(endpoint.contacts.values()):
                count += 1
                key = f"/{action.get('family', '')}/{contact.id}"
                yield event(
                    "DBGetTreeResponse", None, [("Key", key), ("Val", self._stored(endpoint.name, contact.uri))], id_
                )
        yield _list_end("DBGetTree", id_, count)

    def _stored(self, endpoint: str, uri: str) -> str:
        fields = {
            "via_addr": "192.0.2.1", "qualify_timeout": "3.000000", "call_id": "a", "reg_server": "",
            "prune_on_boot": "no", "path": "", "endpoint": endpoint, "via_port": "20000", "authenticate_qualify": "no",
            "uri": uri, "qualify_frequency": "15", "user_agent": "a phone", "qualify_2xx_only": "no",
            "expiration_time": str(int(self._server.wall()) + 3_600), "outbound_proxy": "",
        }  # fmt: skip
        return json.dumps(fields)


def fully_booted() -> bytes:
    return event("FullyBooted", "system,all", [("Uptime", "1"), ("LastReload", "1"), ("Status", "Fully Booted")])


def _list_start(id_: str | None, text: str) -> bytes:
    return message([("Response", "Success"), ("EventList", "start"), ("Message", text)], id_)


def _list_end(name: str, id_: str | None, count: int) -> bytes:
    return event(f"{name}Complete", None, [("EventList", "Complete"), ("ListItems", str(count))], id_)


_LISTS: dict[str, Callable[[Session, Action], Iterator[bytes]]] = {
    "devicestatelist": Session._device_states,
    "extensionstatelist": Session._hints,
    "presencestatelist": Session._presences,
    "dbgettree": Session._contacts,
}
_ANSWERS: dict[str, Callable[[Session, Action], bytes]] = {
    "ping": Session._ping,
    "corestatus": Session._core_status,
    "getvar": Session._getvar,
    "pjsipqualify": Session._qualify,
}
