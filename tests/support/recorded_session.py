"""A session of the account `monitor` with an Asterisk, step by step: a real one, or the model of the simulation.

A step is an action that is sent, or something that happens to the Asterisk. What Asterisk writes until the step is
over is recorded as messages, without what differs from run to run.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

FILE = Path(__file__).parent.parent / "simulation/recorded/session.json"
EXTENSION = "12342"
LAMP = "Custom:lamp"
HINTS = {"501": f"PJSIP/{EXTENSION}&{LAMP}", "502": LAMP}
QUEUE = "tested"
MEMBER = "Local/502@nowhere"
CALLERS = "callers"
"""The context whose callers wait in the queue."""
LUNCH = base64.b64encode(b'lunch \\ "at 1"').decode()
CONTACT_FIELDS = ("uri", "status", "rtt", "via_addr", "via_port", "user_agent", "expiration_time")

Headers = list[tuple[str, str]]
Step = tuple[str, ...]
Recorded = list[dict[str, list[str] | list[Headers]]]


class Peer(Protocol):
    """An Asterisk, with a connection whose messages it collects."""

    async def act(self, step: Step) -> list[Headers]:
        """Send an action, or have something happen; the messages that Asterisk wrote until it was over."""
        ...


def steps() -> Iterable[Step]:
    """The session. `<contact>` stands for the id of the contact that Asterisk listed last."""
    yield ("login",)
    yield ("send", "Ping")
    yield ("send", "CoreStatus")
    yield ("send", "DeviceStateList")
    yield ("send", "ExtensionStateList")
    yield ("send", "PresenceStateList")
    yield ("set", LAMP, "INUSE")
    yield ("set", LAMP, "NOT_INUSE")
    yield ("send", "Getvar", "Variable", f"PJSIP_AOR({EXTENSION},max_contacts)")
    yield ("send", "Getvar", "Variable", "PJSIP_AOR(nobody,max_contacts)")
    yield ("send", "Getvar", "Variable", f"PJSIP_AOR({EXTENSION},contact)")
    yield ("send", "Getvar", "Variable", "DEVICE_STATE(PJSIP/nobody)")
    yield ("send", "DBGetTree", "Family", "registrar/contact")
    yield ("send", "PJSIPQualify", "Endpoint", EXTENSION)
    yield ("register",)
    yield ("send", "DeviceStateList")
    yield ("send", "DBGetTree", "Family", "registrar/contact")
    yield ("send", "Getvar", "Variable", f"PJSIP_AOR({EXTENSION},contact)")
    for field in CONTACT_FIELDS:
        yield ("send", "Getvar", "Variable", f"PJSIP_CONTACT(<contact>,{field})")
    yield ("send", "PJSIPQualify", "Endpoint", EXTENSION)
    yield ("unregister",)
    yield ("send", "PJSIPQualify", "Endpoint", "nobody")
    yield ("send", "Getvar", "Variable", "PJSIP_CONTACT(<contact>,uri)")
    yield ("send", "NoSuchAction")
    yield ("send", "QueueStatus")
    yield ("add member",)
    yield ("set", LAMP, "INUSE")
    yield ("pause", "true", "tea")
    yield ("pause", "false", "")
    yield ("call", "0301")
    yield ("call", "0302")
    yield ("send", "QueueStatus")
    yield ("hang up", "0301")
    yield ("hang up", "0302")
    yield ("set", LAMP, "NOT_INUSE")
    yield ("send", "QueueStatus")
    yield ("remove member",)
    for value in (f"away,,{LUNCH},e", "not_set"):
        yield ("as", "presence", "Setvar", "Variable", f"PRESENCE_STATE(CustomPresence:{EXTENSION})", "Value", value)
        yield ("send", "PresenceStateList")
    for account in ("presence", "sync"):
        yield ("as", account, "ListCommands")
        yield ("as", account, "QueueStatus")
    yield ("as", "sync", "Command", "Command", f"pjsip reload qualify endpoint {EXTENSION}")
    yield ("as", "nobody", "Ping")
    yield ("send", "Command", "Command", "core show version")
    yield ("send", "Ping")


async def play(peer: Peer) -> Recorded:
    """Play the session, and return what was written."""
    recorded: Recorded = []
    contact = ""
    for step in steps():
        messages = await peer.act(tuple(part.replace("<contact>", contact) for part in step))
        recorded.append({"step": list(step), "messages": comparable(messages)})
        for message in messages:  # the id of the contact
            value = dict(message).get("Value", "")
            contact = value if value.startswith(f"{EXTENSION};@") else contact
    return recorded


_MASKS = (
    (re.compile(r"^\d{10,}(\.\d+)?$"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DATE"),
    (re.compile(r"\d\d:\d\d:\d\d"), "TIME"),
    (re.compile(r"@[0-9a-f]{32}"), "@ID"),
    (re.compile(r"sip:[^\s\",;^]+"), "URI"),
)
_VOLATILE = {
    "ListItems": "COUNT",
    "Uptime": "SECONDS",
    "LastReload": "SECONDS",
    "Wait": "SECONDS",
    "HoldTime": "SECONDS",
}
_LEFT_OUT = (("Context", "queue-members"), ("Device", "Queue:"), ("Device", "Local/"), ("Queue", "demo"))
"""What the model has not: beginnings of headers."""


def comparable(messages: list[Headers]) -> list[Headers]:
    """The messages of a step, without queues and what differs from run to run, sorted.

    Asterisk gives no order to the events of one change, as they come from different topics, nor to the items of a list.
    """
    kept = (message for message in messages if not any(_begins(message, header) for header in _LEFT_OUT))
    return sorted(_normalised(each) for each in kept)


def _normalised(message: Headers) -> Headers:
    of_contact = _FIELD.match(dict(message).get("Variable", ""))
    return [
        (name, "OF THE PHONE" if of_contact and name == "Value" and value else _masked(name, value))
        for name, value in message
        if name != "ActionID"
    ]


def _begins(message: Headers, header: tuple[str, str]) -> bool:
    name, beginning = header
    return dict(message).get(name, "").startswith(beginning)


_FIELD = re.compile(r"PJSIP_CONTACT\([^,]*,(rtt|via_addr|via_port|user_agent)\)")
"""Fields of a contact whose values belong to the phone and the machine."""


def _masked(name: str, value: str) -> str:
    if name == "Val":
        return json.dumps(sorted(json.loads(value)))
    if name in _VOLATILE and value:
        return _VOLATILE[name]
    if name == "RoundtripUsec":
        return "MICROSECONDS" if value.isdecimal() and value != "0" else value
    for pattern, mask in _MASKS:
        value = pattern.sub(mask, value)
    return value
