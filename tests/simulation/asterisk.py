"""The model of an Asterisk: what holds in it, what it remembers of the past, and the events that follow.

`tests/simulation/recorded/session.json`, written by a real Asterisk, must be what the model writes. What the model has
beyond that was measured on real ones; `service.ami` names it where it relies on it: endpoints that are not tracked,
events that follow a list although they are older, a dialplan that is reloaded, a boot whose list holds a part.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.simulation.history import History
from tests.simulation.queues import Queues
from tests.simulation.wire import event

CALL_STATES = ("NOT_INUSE", "INUSE", "RINGING", "BUSY", "ONHOLD", "RINGINUSE")
DOWN = "(down)"
"""What holds of every device while Asterisk does not run."""
CONTEXT = "tested-hints"
_RANKS = ("INVALID", "UNKNOWN", "UNAVAILABLE", "NOT_INUSE", "ONHOLD", "RINGING", "INUSE", "BUSY", "RINGINUSE")
_STATUSES = {
    "INVALID": (4, "Unavailable"),
    "UNKNOWN": (0, "Idle"),
    "UNAVAILABLE": (4, "Unavailable"),
    "NOT_INUSE": (0, "Idle"),
    "ONHOLD": (16, "Hold"),
    "RINGING": (8, "Ringing"),
    "INUSE": (1, "InUse"),
    "BUSY": (2, "Busy"),
    "RINGINUSE": (9, "InUse&Ringing"),
}


@dataclass
class Contact:
    """A registration."""

    id: str
    uri: str
    status: str = "NonQualified"
    answers: bool = True
    """Whether the phone answers a qualify."""

    @property
    def reachable(self) -> bool:
        return self.status == "Reachable"


@dataclass
class Endpoint:
    """A PJSIP endpoint."""

    name: str
    tracked: bool = True
    """Whether Asterisk reports its state: false for one that was made while Asterisk runs."""
    contacts: dict[str, Contact] = field(default_factory=dict)
    call: str = "NOT_INUSE"
    """Its state while it can be called."""
    lost: bool = False
    """Whether only a reload of the endpoint, or a new registration, has Asterisk qualify its contacts."""
    found: bool = False
    """Whether it was reloaded: the next qualify ends its being lost."""

    @property
    def state(self) -> str:
        return self.call if any(contact.reachable for contact in self.contacts.values()) else "UNAVAILABLE"


class Asterisk:
    """What holds now. `publish` is called with each event, in order; `now` is the clock of the history."""

    def __init__(
        self,
        chance: random.Random,
        now: Callable[[], float],
        wall: Callable[[], float],
        publish: Callable[[bytes], None],
    ) -> None:
        self._chance = chance
        self._now = now
        self._publish = publish
        self.running = True
        self.booted = True
        self.started_at = now()
        self.endpoints: dict[str, Endpoint] = {}
        self.custom: dict[str, str] = {}
        self.hints: dict[str, str] = {}
        self.coming_hints: dict[str, str] | None = None
        """The hints that are in force once the reload is over; None without a reload."""
        self.unlisted: set[str] = set()
        """Devices that no list holds yet: Asterisk has just booted."""
        self.history: dict[str, History[str]] = {}
        """The states by device."""
        self.contact_history: dict[str, History[frozenset[tuple[str, bool | None]]]] = {}
        """By endpoint: the URIs, and whether they answered."""
        self.queues = Queues(chance, now, wall, self.reported, publish)
        self.presences: dict[str, tuple[str, str]] = {}
        """State and message by extension, of those that were ever set."""
        self.presence_history: dict[str, History[tuple[str, str]]] = {}
        self._statuses: dict[str, tuple[int, str]] = {}
        self._contacts_made = 0

    # --- what happens ------------------------------------------------------------------------------------------

    def add_endpoint(self, name: str, *, tracked: bool) -> None:
        self.endpoints[name] = Endpoint(name, tracked)
        self._remember(f"PJSIP/{name}")
        self._remember_contacts(name)

    def set_custom(self, device: str, state: str) -> None:
        self.custom[device] = state
        self._changed(device)

    def set_call(self, name: str, state: str) -> None:
        endpoint = self.endpoints[name]
        before, endpoint.call = endpoint.state, state
        if endpoint.state != before and endpoint.tracked:
            self._changed(f"PJSIP/{name}")
        elif endpoint.state != before:
            self._remember(f"PJSIP/{name}")

    def set_presence(self, extension: str, state: str, message: str) -> None:
        """Set a custom presence; setting what holds already is an event as well."""
        self.presences[extension] = state, message
        self.presence_history.setdefault(extension, History()).remember(self._now(), (state, message))
        self._publish(event("PresenceStateChange", "call,all", self.presence_headers(extension)))

    def presence_headers(self, extension: str) -> list[tuple[str, str]]:
        state, message = self.presences[extension]
        of_extension = ("Presentity", f"CustomPresence:{extension}")
        return [of_extension, ("Status", state), ("Subtype", ""), ("Message", _escaped(message))]

    def register(self, name: str, *, answers: bool = True) -> None:
        """A phone registers; it is qualified at once if Asterisk tracks the endpoint."""
        self._contacts_made += 1
        id_ = f"{self._chance.getrandbits(128):032x}"
        uri = f"sip:{name}@192.0.2.1:{20_000 + self._contacts_made}"
        contact = Contact(f"{name};@{id_}", uri, answers=answers)
        endpoint = self.endpoints[name]
        for other in list(endpoint.contacts.values()):  # max_contacts is 1, and a new registration wins
            self._remove(endpoint, other)
        endpoint.contacts[uri] = contact
        endpoint.lost = False
        self._contact_changed(endpoint, contact)
        if endpoint.tracked:
            self._qualify(endpoint, contact)

    def unregister(self, name: str) -> None:
        endpoint = self.endpoints[name]
        before = endpoint.state
        for contact in list(endpoint.contacts.values()):
            self._remove(endpoint, contact)
        self._state_follows(endpoint, before)

    def set_answering(self, name: str, answers: bool) -> None:
        """The network of a phone goes or comes back, and Asterisk's next qualify notices."""
        endpoint = self.endpoints[name]
        for contact in endpoint.contacts.values():
            contact.answers = answers
            if endpoint.tracked:
                self._qualify(endpoint, contact)

    def qualify(self, name: str) -> bool:
        """`PJSIPQualify`: from now on an endpoint with a contact is tracked."""
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            return False
        if endpoint.contacts and (endpoint.found or not endpoint.lost):
            before = endpoint.state if endpoint.tracked else "(untracked)"
            endpoint.tracked, endpoint.lost = True, False
            for contact in list(endpoint.contacts.values()):
                self._qualify(endpoint, contact, before)
        return True

    def reload_endpoint(self, name: str) -> None:
        """`pjsip reload qualify endpoint`: Asterisk finds the contacts that it had lost."""
        if name in self.endpoints:
            self.endpoints[name].found = True

    def begin_reload(self, hints: dict[str, str]) -> None:
        """A reload of the dialplan begins: an event for each hint that stays or comes, with the old text."""
        self.coming_hints = hints
        for number in hints:
            self._publish_hint(number)

    def end_reload(self) -> None:
        if self.coming_hints is not None:
            self.hints, self.coming_hints = self.coming_hints, None
            self.settle_hints()

    def settle_hints(self) -> None:
        """The statuses of all hints are those of their devices, without an event."""
        self._statuses = {number: self.status(text) for number, text in self.hints.items()}

    def stop(self) -> None:
        self.running = self.booted = False
        self.queues.stop()
        for history in self.presence_history.values():
            history.remember(self._now(), (DOWN, ""))
        for device in self.devices():
            self._remember(device)
        for name in self.endpoints:
            self._remember_contacts(name)

    def start(self, *, remembers_contacts: bool, loses: float = 0.0) -> None:
        """Start again: calls are over, registrations may be lost, and no contact was qualified yet.

        `loses`: the share of endpoints with a contact that Asterisk does not track now, as it could not read them.
        """
        self.end_reload()
        self.running, self.started_at = True, self._now()
        for endpoint in self.endpoints.values():
            endpoint.tracked, endpoint.call = True, "NOT_INUSE"
            for contact in endpoint.contacts.values():
                contact.status = "NonQualified"
            if not remembers_contacts:
                endpoint.contacts.clear()
            if endpoint.contacts and loses and self._chance.random() < loses:
                endpoint.lost, endpoint.found, endpoint.tracked = True, False, False
        self.settle_hints()
        for device in self.devices():
            self._remember(device)
        for name in self.endpoints:
            self._remember_contacts(name)
        self.unlisted = set(self.devices())
        self.queues.start()
        for extension, presence in self.presences.items():
            self.presence_history[extension].remember(self._now(), presence)

    def list_some(self, count: int) -> None:
        """The boot goes on: some devices appear, each with an event."""
        for device in sorted(self.unlisted)[:count]:
            self.unlisted.discard(device)
            if device in self.devices():
                self._publish_state(device)

    # --- what holds --------------------------------------------------------------------------------------------

    def devices(self) -> list[str]:
        return [*self.custom, *(f"PJSIP/{name}" for name in self.endpoints)]

    def state(self, device: str) -> str:
        """The state that is true, whether Asterisk reports it or not."""
        if not self.running:
            return DOWN
        if device.startswith("PJSIP/"):
            endpoint = self.endpoints.get(device[len("PJSIP/") :])
            if endpoint is None:
                return "INVALID"
            answering = any(contact.answers for contact in endpoint.contacts.values())
            return endpoint.state if endpoint.tracked else (endpoint.call if answering else "UNAVAILABLE")
        return self.custom.get(device, "UNKNOWN")

    def reported(self, device: str) -> str:
        """The answer to `DEVICE_STATE`."""
        name = device.removeprefix("PJSIP/")
        if name in self.endpoints and not self.endpoints[name].tracked:
            return "UNAVAILABLE"
        return self.state(device)

    def is_lost(self, device: str) -> bool:
        """Whether it is an endpoint that Asterisk has lost: see `Endpoint.lost`."""
        endpoint = self.endpoints.get(device.removeprefix("PJSIP/"))
        return endpoint is not None and endpoint.lost

    def listed(self) -> list[str]:
        """The devices in a list: those whose state was ever reported."""
        return [device for device in self.devices() if device not in self.unlisted and self._is_reported(device)]

    def status(self, text: str) -> tuple[int, str]:
        """Asterisk's own status of a hint."""
        states = [self.reported(device) for device in text.split("&") if device]
        if "RINGING" in states and {"INUSE", "BUSY", "ONHOLD"} & set(states):
            return _STATUSES["RINGINUSE"]
        return _STATUSES[max(states, key=_RANKS.index)] if DOWN not in states and states else (4, "Unavailable")

    def held(self, device: str, since: float) -> set[str]:
        """The states that a device had at some moment since then."""
        return set(self.history[device].held(since)) if device in self.history else set()

    def contacts_held(self, name: str, since: float) -> set[frozenset[tuple[str, bool | None]]]:
        """The contacts that an endpoint had at some moment since then: URIs, and whether they answered."""
        return set(self.contact_history[name].held(since)) if name in self.contact_history else set()

    # --- inside ------------------------------------------------------------------------------------------------

    def _is_reported(self, device: str) -> bool:
        endpoint = self.endpoints.get(device.removeprefix("PJSIP/"))
        return self.custom.get(device) != "UNKNOWN" if endpoint is None else endpoint.tracked

    def _qualify(self, endpoint: Endpoint, contact: Contact, before: str | None = None) -> None:
        before = endpoint.state if before is None else before
        status = "Reachable" if contact.answers else "Unreachable"
        if contact.status != status:
            contact.status = status
            self._contact_changed(endpoint, contact)
        self._state_follows(endpoint, before)

    def _state_follows(self, endpoint: Endpoint, before: str) -> None:
        if not endpoint.tracked:
            self._remember(f"PJSIP/{endpoint.name}")
        elif endpoint.state != before:
            self._changed(f"PJSIP/{endpoint.name}")

    def _remove(self, endpoint: Endpoint, contact: Contact) -> None:
        del endpoint.contacts[contact.uri]
        contact.status = "Removed"
        self._contact_changed(endpoint, contact)

    def _contact_changed(self, endpoint: Endpoint, contact: Contact) -> None:
        self._remember_contacts(endpoint.name)
        if not endpoint.tracked:
            self._remember(f"PJSIP/{endpoint.name}")
        headers = [
            ("URI", contact.uri),
            ("ContactStatus", contact.status),
            ("AOR", endpoint.name),
            ("EndpointName", endpoint.name),
            ("RoundtripUsec", "431" if contact.reachable else "0"),
        ]
        self._publish(event("ContactStatus", "system,all", headers))

    def _changed(self, device: str) -> None:
        self._remember(device)
        self.unlisted.discard(device)
        self._publish_state(device)

    def _publish_state(self, device: str) -> None:
        if not self._is_reported(device):
            return
        for number, text in self.hints.items():
            if device in text.split("&") and self.status(text) != self._statuses.get(number):
                self._publish_hint(number)
        self._publish(event("DeviceStateChange", "call,all", [("Device", device), ("State", self.state(device))]))
        self.queues.device_changed(device)

    def _publish_hint(self, number: str) -> None:
        self._statuses[number] = self.status(self.hints.get(number, ""))
        self._publish(event("ExtensionStatus", "call,all", self.hint_headers(number, self.hints.get(number, ""))))

    def hint_headers(self, number: str, text: str) -> Iterable[tuple[str, str]]:
        status, name = self.status(text)
        return [("Exten", number), ("Context", CONTEXT), ("Hint", text), ("Status", str(status)), ("StatusText", name)]

    def _remember(self, device: str) -> None:
        self.history.setdefault(device, History()).remember(self._now(), self.state(device))

    def _remember_contacts(self, name: str) -> None:
        contacts = self.endpoints[name].contacts.values() if self.running else ()
        answered = {"Reachable": True, "Unreachable": False}
        found = frozenset((contact.uri, answered.get(contact.status)) for contact in contacts)
        if not self.running:
            found = frozenset({(DOWN, None)})
        self.contact_history.setdefault(name, History()).remember(self._now(), found)


def _escaped(text: str) -> str:
    """As Asterisk escapes a presence message."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
