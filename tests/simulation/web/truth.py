"""Whether what is written is true: compared with Asterisk, and with what the service was told of people."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from service.domain.combined_state import combined_state
from service.domain.device_states import Freshness
from service.domain.models import DeviceState, Role
from tests.simulation.result import Result
from tests.simulation.web.client_connection import Request
from tests.simulation.web.people import Grant

if TYPE_CHECKING:
    from tests.simulation.web.service import Service

SLACK = 0.1
"""Seconds that Asterisk may take from a change to its event."""
TOLD = 0.05
"""Seconds after the directory has heard of a change within which an answer may be of before it."""
Facts = dict[str, Any]


class Truth:
    """Of one universe. `service` is the process that runs, or the last one that ran."""

    service: Service

    def __init__(self, result: Result, wrong: Callable[[str], None]) -> None:
        self._result = result
        self.wrong = wrong

    def judge_registration(self, request: Request, meaning: Facts) -> None:
        number = meaning["extension"]
        if request.grant.user_id not in self.held("owner", number):
            self.wrong(f"{request} is told the extension {number} of {self.held('owner', number)}")
        if meaning["password"] not in self.held("secret", number):
            self.wrong(f"{request} is told an old SIP password")
        if meaning["live"]:
            self._judge_state(number, meaning["state"], (f"PJSIP/{number}",), f"a registration info of {number}")
        else:
            self._result.not_live += 1
            if meaning["state"] != DeviceState.UNKNOWN.value:
                self.wrong(f"{meaning['state']} is no live state of {number}")

    def judge_items(self, request: Request, items: Iterable[Facts]) -> None:
        people = self.service.people
        for item in items:
            number = item["extension"]
            owners = {people.people[user].uid if isinstance(user, int) else None for user in self.held("owner", number)}
            if item["userId"] not in owners:
                self.wrong(f"{number} is {item['userId']}'s, and was {owners}")
            if self.roles(request.grant) == {Role.CLIENT} and item["userId"] != request.uid:
                self.wrong(f"{request} is shown {number}")
            if item["live"]:
                self._judge_state(number, item["state"], self.service.devices_of(number), f"an item of {number}")
                self._judge_contacts(number, item)
            else:
                self._result.not_live += 1
                if item["state"] != DeviceState.UNKNOWN.value or item["inCall"] is not None:
                    self.wrong(f"an item that is not live: {item}")

    def _judge_state(self, number: str, state: str, devices: tuple[str, ...], what: str) -> None:
        """A live state held within the deadline, and since the last answered Ping; and the link is current."""
        self._result.live += 1
        states = self.service.link.states
        overdue = self.now - states.confirmed_at - self.service.settings.watchdog_deadline
        if states.freshness is not Freshness.LIVE or overdue > 0:
            self.wrong(f"{what} is live, the link {states.freshness} and {overdue:.3f} s overdue")
            return
        since = self._since()
        held = [sorted(self.service.asterisk.held(device, since)) for device in devices]
        for each in itertools.product(*held):
            known = [name for name in each if name in DeviceState.__members__]
            if len(known) == len(each) and combined_state(DeviceState[name] for name in known).value == state:
                return
        self.wrong(f"{what} reads {state}, its devices were {held}")

    def _judge_contacts(self, number: str, item: Facts) -> None:
        if len(self.service.devices_of(number)) > 1 or item["registered"] is None:
            return
        held = self.service.asterisk.contacts_held(number, self._since())
        if item["registered"] not in {bool(contacts) for contacts in held}:
            self.wrong(f"{number} is {'' if item['registered'] else 'not '}registered, its contacts were {held}")

    def judge_whole(self, request: Request, items: list[Facts]) -> None:
        """A snapshot has each extension that its reader asked for and may see, once."""
        shown = [item["extension"] for item in items]
        if Role.CLIENT in self.roles(request.grant):
            return
        sure, possible = set(), set()
        for number in request.numbers or self.service.people.extensions:
            active = {act for user in self.held("owner", number) for act in self.acts(user)}
            if True in active:
                possible.add(number)
            if active == {True}:
                sure.add(number)
        if len(shown) > len(set(shown)) or not sure <= set(shown) <= possible:
            self.wrong(f"{request} is shown {shown} instead of {sorted(possible)}")

    # --- what is true --------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The uptime. What is written in the moment of a suspension may be of before it."""
        return self.service.uptime_before_jump()

    def _since(self) -> float:
        states = self.service.link.states
        return max(states.confirmed_at, self.now - self.service.settings.watchdog_deadline) - SLACK

    def held(self, what: str, key: object) -> set[object]:
        return self.service.people.held(what, key, self.now - TOLD)

    def surely_valid(self, request: Request) -> bool:
        """Whether the token of a request must be accepted."""
        return request.grant.ended_at is None and self.active(request.grant) == {True}

    def may_be_valid(self, grant: Grant) -> bool:
        """Whether the directory may vouch for the holder of a token that it has not heard to have ended."""
        return True in self.active(grant)

    def active(self, grant: Grant) -> set[bool]:
        return self.acts(grant.user_id)

    def acts(self, user_id: object) -> set[bool]:
        """Whether a person was active; nobody's extension is as if it was somebody active."""
        return {True} if user_id is None else {role[1] for role in self._told_roles(user_id)}

    def roles(self, grant: Grant) -> set[Role]:
        return {role[0] for role in self._told_roles(grant.user_id)}

    def _told_roles(self, user_id: object) -> set[tuple[Role, bool]]:
        return cast(set[tuple[Role, bool]], self.held("role", user_id))

    def sure_owners(self) -> set[object]:
        """Those who have had one extension all the time."""
        people = self.service.people
        held = [self.held("owner", number) for number in people.extensions]
        return {next(iter(owners)) for owners in held if len(owners) == 1}
