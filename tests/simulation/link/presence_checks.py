"""What must hold of the presence that users set: what a link shows, and what an accepted change has done."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from service.ami.kept_connection import KeptConnection
from service.ami.link import Link
from service.domain.custom_presence import NOT_SET, Presence, PresenceState
from service.errors import CallServerUnavailable
from tests.simulation.asterisk import Asterisk
from tests.simulation.result import Lied
from tests.simulation.world import World

USE_ENDS_WITHIN = 10.5
"""Seconds within which a change is accepted or refused: USE_DEADLINE and a moment."""


class PresenceChecks:
    """Compares the presence of one link with that of the Asterisk behind it."""

    def __init__(self, link: Link, asterisk: Asterisk, since: Callable[[], float]) -> None:
        self._link = link
        self._asterisk = asterisk
        self._since = since

    def lie(self, extension: str) -> str | None:
        """A presence that is shown held. Call it for an extension that is live."""
        presence = self._link.presences.of(extension)
        shown = presence.state.value, presence.message
        history = self._asterisk.presence_history.get(extension)
        if history is None:
            return None if presence == NOT_SET else f"{extension} shows {shown}, and nothing was set"
        if shown == history.now:
            return None
        held = history.held(self._since())
        if not history.held_before(self._since()):
            held.append((NOT_SET.state.value, NOT_SET.message))
        return None if shown in held else f"{extension} shows {shown}, and was {held}"

    def wrong(self, extension: str) -> str | None:
        """What is not as it is in Asterisk, once nothing happens any more."""
        presence = self._link.presences.of(extension)
        shown = presence.state.value, presence.message
        expected = self._asterisk.presences.get(extension, (NOT_SET.state.value, NOT_SET.message))
        return None if shown == expected else f"{extension} shows {shown} instead of {expected}"


class Setters:
    """People who set their presence, through the connection that requests use."""

    def __init__(self, world: World, asterisk: Asterisk, kept: KeptConnection, chance: random.Random) -> None:
        self._world = world
        self._asterisk = asterisk
        self._kept = kept
        self._chance = chance
        self._number = 0
        self.accepted = self.refused = 0

    async def run(self, seconds: float, numbers: list[str]) -> None:
        """One change every two seconds on average. Raises Lied if one was accepted without effect, or never ended."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        async with asyncio.TaskGroup() as changes:
            while loop.time() < ends_at:
                await asyncio.sleep(self._chance.expovariate(0.5))
                changes.create_task(self.set_one(self._chance.choice(numbers)), name="set presence")

    async def set_one(self, extension: str) -> bool:
        """Set a presence; whether it was accepted."""
        self._number += 1
        presence = Presence(self._chance.choice(list(PresenceState)), f'{self._number}, a \\ and a "quote"')
        began = asyncio.get_running_loop().time()
        began_at = self._world.uptime()
        try:
            await self._kept.set_presence(extension, presence)
        except CallServerUnavailable:
            self.refused += 1
            accepted = False
        else:
            self.accepted += 1
            accepted = True
        took = asyncio.get_running_loop().time() - began
        if took > USE_ENDS_WITHIN:
            raise Lied(f"a change of presence took {took:.1f} s")
        history = self._asterisk.presence_history.get(extension)
        set_to = presence.state.value, presence.message
        if accepted and (history is None or set_to not in history.held(began_at)):
            raise Lied(f"{extension} was said to be set to {set_to}")
        return accepted
