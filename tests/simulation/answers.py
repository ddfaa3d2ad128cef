"""What the model answers to an action: a message, or a list that is written piece by piece."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.simulation.accounts import KNOWN, PERMITTED, commands
from tests.simulation.wire import error, event, message, success

if TYPE_CHECKING:
    from tests.simulation.server import AmiServer

Action = dict[str, str]
RELOADS = "pjsip reload qualify endpoint "
"""The only command that the model knows; the endpoint follows."""


def answer(server: AmiServer, account: str | None, action: Action) -> bytes | Iterator[bytes]:
    """The answer to an action of an account; None is nobody who has logged in."""
    name, id_ = action.get("action", "").lower(), action.get("actionid")
    if name not in KNOWN:
        unknown = "Use Action: ListCommands to show available commands."
        return error(id_, f"Invalid/unknown command: {action.get('action')}. {unknown}")
    if account is None or name not in PERMITTED[account]:
        return error(id_, "Permission denied")
    if name == "listcommands":
        return success(id_, *commands(account))
    return _ANSWERS[name](server, action)


def fully_booted() -> bytes:
    """The event at the end of a boot, and after each login."""
    return event("FullyBooted", "system,all", [("Uptime", "1"), ("LastReload", "1"), ("Status", "Fully Booted")])


# --- single answers ------------------------------------------------------------------------------------------------


def _ping(server: AmiServer, action: Action) -> bytes:
    return success(action.get("actionid"), ("Ping", "Pong"), ("Timestamp", f"{server.wall():.6f}"))


def _core_status(server: AmiServer, action: Action) -> bytes:
    started = datetime.fromtimestamp(server.wall_at(server.asterisk.started_at), UTC)
    date, time = ("Date", f"{started:%Y-%m-%d}"), ("Time", f"{started:%H:%M:%S}")
    since = [(f"Core{what}{part}", value) for what in ("Startup", "Reload") for part, value in (date, time)]
    return success(action.get("actionid"), *since, ("CoreCurrentCalls", "0"), ("CoreProcessedCalls", "0"))


def _getvar(server: AmiServer, action: Action) -> bytes:
    variable = action.get("variable", "")
    return success(action.get("actionid"), ("Variable", variable), ("Value", _value(server, variable)))


def _value(server: AmiServer, variable: str) -> str:
    function, _, rest = variable.removesuffix(")").partition("(")
    if function == "DEVICE_STATE":
        return server.asterisk.reported(rest)
    name, _, field = rest.rpartition(",")
    if function == "PJSIP_AOR":
        endpoint = server.asterisk.endpoints.get(name)
        if endpoint is None:
            return ""
        return "1" if field == "max_contacts" else ",".join(contact.id for contact in endpoint.contacts.values())
    return _contact_field(server, name, field) if function == "PJSIP_CONTACT" else ""


def _contact_field(server: AmiServer, id_: str, field: str) -> str:
    endpoint = server.asterisk.endpoints.get(id_.partition(";")[0])
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
        "expiration_time": str(int(server.wall()) + 3_600),
    }[field]


def _qualify(server: AmiServer, action: Action) -> bytes:
    name = action.get("endpoint", "")
    if name not in server.asterisk.endpoints:
        return error(action.get("actionid"), "Unable to retrieve endpoint")
    server.qualify_soon(name)
    return success(action.get("actionid"), ("Message", "Endpoint found, will qualify"))


def _setvar(server: AmiServer, action: Action) -> bytes:
    """The only variable that is set is a presence: state, subtype, message, and `e` if that is in base64."""
    variable = action.get("variable", "")
    extension = variable.removeprefix("PRESENCE_STATE(CustomPresence:").removesuffix(")")
    state, _, text, encoded = [*action.get("value", "").split(","), "", "", ""][:4]
    server.asterisk.set_presence(extension, state, base64.b64decode(text).decode() if encoded == "e" else text)
    return success(action.get("actionid"), ("Message", "Variable Set"))


def _command(server: AmiServer, action: Action) -> bytes:
    name = action.get("command", "").removeprefix(RELOADS)
    server.asterisk.reload_endpoint(name)
    return success(
        action.get("actionid"),
        ("Message", "Command output follows"),
        ("Output", f"Synchronizing AOR '{name}' on endpoint '{name}'"),
    )


# --- lists -----------------------------------------------------------------------------------------------------------


def _device_states(server: AmiServer, action: Action) -> Iterator[bytes]:
    id_ = action.get("actionid")
    yield _list_start(id_, "Device State Changes will follow")
    count = 0
    for device in server.asterisk.listed():
        if server.asterisk.running:
            count += 1
            headers = [("Device", device), ("State", server.asterisk.state(device))]
            yield event("DeviceStateChange", None, headers, id_)
    yield _list_end("DeviceStateList", id_, count)


def _hints(server: AmiServer, action: Action) -> Iterator[bytes]:
    id_ = action.get("actionid")
    yield _list_start(id_, "Extension Statuses will follow")
    hints = [*server.asterisk.hints.items(), *(server.asterisk.coming_hints or {}).items()]
    for number, text in hints:
        yield event("ExtensionStatus", None, server.asterisk.hint_headers(number, text), id_)
    yield _list_end("ExtensionStateList", id_, len(hints))


def _presences(server: AmiServer, action: Action) -> Iterator[bytes]:
    id_ = action.get("actionid")
    yield _list_start(id_, "Presence State Changes will follow")
    extensions = list(server.asterisk.presences)
    for extension in extensions:
        yield event("PresenceStateChange", None, server.asterisk.presence_headers(extension), id_)
    yield _list_end("PresenceStateList", id_, len(extensions))


def _queues(server: AmiServer, action: Action) -> Iterator[bytes]:
    id_ = action.get("actionid")
    yield _list_start(id_, "Queue status will follow")
    count = 0
    for items in server.asterisk.queues.listed():
        for name, headers in items:
            count += 1
            yield event(name, None, headers, id_)
    yield _list_end("QueueStatus", id_, count)


def _contacts(server: AmiServer, action: Action) -> Iterator[bytes]:
    id_ = action.get("actionid")
    yield _list_start(id_, "Result will follow")
    count = 0
    for endpoint in list(server.asterisk.endpoints.values()):
        for contact in list(endpoint.contacts.values()):
            count += 1
            key = f"/{action.get('family', '')}/{contact.id}"
            stored = _stored(server, endpoint.name, contact.uri)
            yield event("DBGetTreeResponse", None, [("Key", key), ("Val", stored)], id_)
    yield _list_end("DBGetTree", id_, count)


def _stored(server: AmiServer, endpoint: str, uri: str) -> str:
    fields = {
        "via_addr": "192.0.2.1", "qualify_timeout": "3.000000", "call_id": "a", "reg_server": "",
        "prune_on_boot": "no", "path": "", "endpoint": endpoint, "via_port": "20000", "authenticate_qualify": "no",
        "uri": uri, "qualify_frequency": "15", "user_agent": "a phone", "qualify_2xx_only": "no",
        "expiration_time": str(int(server.wall()) + 3_600), "outbound_proxy": "",
    }  # fmt: skip
    return json.dumps(fields)


def _list_start(id_: str | None, text: str) -> bytes:
    return message([("Response", "Success"), ("EventList", "start"), ("Message", text)], id_)


def _list_end(name: str, id_: str | None, count: int) -> bytes:
    return event(f"{name}Complete", None, [("EventList", "Complete"), ("ListItems", str(count))], id_)


_ANSWERS: dict[str, Callable[[AmiServer, Action], bytes | Iterator[bytes]]] = {
    "ping": _ping,
    "corestatus": _core_status,
    "getvar": _getvar,
    "pjsipqualify": _qualify,
    "setvar": _setvar,
    "command": _command,
    "devicestatelist": _device_states,
    "extensionstatelist": _hints,
    "presencestatelist": _presences,
    "dbgettree": _contacts,
    "queuestatus": _queues,
}
