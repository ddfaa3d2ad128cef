"""What must hold: at all times, and once the faults are over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from service.ami.client import LIST_DEADLINE
from service.ami.link import Link
from service.domain.combined_state import combined_state
from service.domain.models import DeviceState, Extension, Reading
from tests.simulation.asterisk import Asterisk
from tests.simulation.link.presence_checks import PresenceChecks
from tests.simulation.link.queue_checks import QueueChecks

SLACK = 0.1
"""Seconds that Asterisk may take from a change to its event, with the turns of a connection's thread."""
ENDS_WITHIN = 0.5
"""Seconds after the end of a connection within which everything that waits for it has ended."""
TASKS_AT_REST = 13
"""The most tasks of a link that has nothing to do; a device that is tracked has one more."""


@dataclass
class Counts:
    """What the checkers have looked at."""

    live: int = 0
    not_live: int = 0
    contacts: int = 0
    lies: list[str] = field(default_factory=list)


class Checkers:
    """Compares one link with the Asterisk behind it."""

    def __init__(self, link: Link, asterisk: Asterisk, clock: Callable[[], float], deadline: float, *, managed: bool):
        self._link = link
        self._asterisk = asterisk
        self._clock = clock
        self._deadline = deadline
        self._managed = managed
        self._first_seen: dict[str, float] = {}
        self._ended_at: float | None = None
        self.counts = Counts()
        self.queues = QueueChecks(link, asterisk.queues, self._since)
        self._presences = PresenceChecks(link, asterisk, self._since)

    def check(self, extension: Extension) -> Reading:
        """A state that is live held within the deadline, and since the newest Ping that was answered."""
        reading = self._link.read(extension)
        if not reading.live:
            self.counts.not_live += 1
            return reading
        self.counts.live += 1
        states = []
        for device in self._link.devices_of(extension):
            state = self._link.states.read(device).state
            states.append(state)
            if state.name != self._asterisk.history[device].now:  # else it holds now
                held = self._asterisk.held(device, self._since())
                if state.name not in held:
                    self._lie(f"{device} reads {state.name}, and was {sorted(held)}")
        if reading.state is not combined_state(states):
            self._lie(f"{extension.number} reads {reading.state.name}, its devices {[state.name for state in states]}")
        self._check_contacts(extension)
        if (lie := self._presences.lie(extension.local_number)) is not None:
            self._lie(lie)
        return reading

    def check_queues(self) -> None:
        """What is shown of the queues held."""
        for lie in self.queues.lies():
            self._lie(lie)

    def _check_contacts(self, extension: Extension) -> None:
        """Each contact was there, and answered so or not; one that was there all the time is not left out.

        Not the set as a whole: events may be read in the middle of a reading that has their outcome already. None, not
        known whether it answers, claims nothing: a contact may go in the middle of a reading.
        """
        for phone in extension.phones:
            found = self._contacts(phone.endpoint)
            if found is not None:
                self.counts.contacts += 1
                if found == self._asterisk.contact_history[phone.endpoint].now:
                    continue  # it holds now
                held = self._asterisk.contacts_held(phone.endpoint, self._since())
                lasting = frozenset.intersection(*(frozenset(uri for uri, _ in each) for each in held))
                ever = frozenset.union(*held)
                ever |= {(uri, None) for uri, _ in ever}
                if not found <= ever or not lasting <= {uri for uri, _ in found}:
                    self._lie(
                        f"contacts of {phone.endpoint}: {_shown(found)}, and were {[_shown(each) for each in held]}"
                    )

    def check_waits(self) -> None:
        """No action waits longer for its answer than the longest deadline, and none once the connection has ended."""
        connection = self._link._connection
        if connection is None or connection.why_ended is None:
            self._ended_at = None
        elif self._ended_at is None:
            self._ended_at = time.monotonic()
        elif time.monotonic() - self._ended_at > ENDS_WITHIN:
            self._lie(f"something still waits for the connection that ended at {self._ended_at:.3f}")
        waiting = set(connection._protocol.responses) if connection is not None else set()
        self._first_seen = {id_: self._first_seen.get(id_, time.monotonic()) for id_ in sorted(waiting)}
        for id_, since in self._first_seen.items():
            if time.monotonic() - since > LIST_DEADLINE + 1.0:
                self._lie(f"the action {id_} has waited since {since:.3f}")

    def wrongs(self, extensions: list[Extension], confirmed_after: float = 0.0, *, lost: bool = True) -> list[str]:
        """What is not as it is in Asterisk, once nothing happens any more; `lost`: also endpoints that it has lost.

        A link that was confirmed before the faults were over may not know yet that its line is dead.
        """
        if self._link.states.confirmed_at <= confirmed_after:
            return [f"the link is not confirmed: {self._link.facts.why_ended}"]
        if not self._link.states.current:
            return [f"the link is {self._link.states.freshness.value}: {self._link.facts.why_ended}"]
        wrong = self.queues.wrongs()
        for extension in extensions:
            devices, expected = self._link.devices_of(extension), self._expected_devices(extension)
            if set(devices) != set(expected):
                wrong.append(f"{extension.number} has the devices {devices} instead of {expected}")
                continue
            if (presence := self._presences.wrong(extension.local_number)) is not None:
                wrong.append(presence)
            if not lost and any(self._asterisk.is_lost(device) for device in expected):
                continue
            reading = self._link.read(extension)
            state = combined_state(DeviceState[self._asterisk.state(device)] for device in expected)
            if not reading.live or reading.state is not state:
                wrong.append(f"{extension.number} reads {reading} instead of {state.name}")
            wrong += [
                f"contacts of {phone.endpoint}: {self._contacts(phone.endpoint)}"
                for phone in extension.phones
                if self._contacts(phone.endpoint) not in self._asterisk.contacts_held(phone.endpoint, float("inf"))
            ]
        return wrong

    def _expected_devices(self, extension: Extension) -> tuple[str, ...]:
        phones = tuple(f"PJSIP/{phone.endpoint}" for phone in extension.phones)
        text = self._asterisk.hints.get(extension.local_number, "")
        hinted = tuple(device for device in text.split("&") if device and not device.startswith("Custom:"))
        return (*phones, *hinted) if self._managed else hinted or phones

    def _contacts(self, endpoint: str) -> frozenset[tuple[str, bool | None]] | None:
        contacts = self._link.contacts_of(endpoint)
        return None if contacts is None else frozenset((contact.uri, contact.reachable) for contact in contacts)

    def _since(self) -> float:
        return max(self._link.states.confirmed_at, self._clock() - self._deadline) - SLACK

    def _lie(self, text: str) -> None:
        self.counts.lies.append(f"{self._clock():.3f} {text}")


def _shown(contacts: frozenset[tuple[str, bool | None]]) -> str:
    return ", ".join(sorted(f"{uri} {reachable}" for uri, reachable in contacts)) or "none"
