"""Random universes: links that come and go, collectors that vanish, a network that loses, repeats and reorders."""

from __future__ import annotations

import pytest

from service.bus import published
from service.domain.device_states import Freshness
from service.domain.models import DeviceState
from tests.unit.bus.world import DEADLINE, World

DEVICES = [f"PJSIP/{number}" for number in range(6)]
STATES = [DeviceState.NOT_INUSE, DeviceState.INUSE, DeviceState.RINGING, DeviceState.UNAVAILABLE]


class Truth:
    """What Asterisk knows, and knew."""

    def __init__(self) -> None:
        self.now: dict[str, DeviceState | None] = dict.fromkeys(DEVICES, DeviceState.NOT_INUSE)
        self._ended: dict[str, list[tuple[DeviceState | None, float]]] = {device: [] for device in DEVICES}

    def change(self, device: str, state: DeviceState | None, at: float) -> None:
        self._ended[device].append((self.now[device], at))
        self.now[device] = state

    @property
    def listed(self) -> dict[str, DeviceState]:
        return {device: state for device, state in self.now.items() if state is not None}

    def was(self, device: str, state: DeviceState, since: float) -> bool:
        return self.now[device] is state or any(old is state and end >= since for old, end in self._ended[device])


async def run(seed: int) -> int:
    """Run one universe, and return the live readings that were checked."""
    world, truth, checked = World(seed), Truth(), 0
    chance = world.chance
    for name in ("a", "b"):
        world.add_collector(name).become_live(truth.listed)
    followers = [world.add_follower(f"follower {number}") for number in range(2)]
    frozen_until = 0.0
    for step in range(300):
        calm = step > 240
        world.clock.now += chance.choice((0.01, 0.05, 0.1))
        for link in list(world.links.values()):
            if link.states.freshness is not Freshness.LIVE:
                if chance.random() < 0.2:
                    link.become_live(truth.listed)
            elif not calm and chance.random() < 0.01:
                link.lose()
            else:
                link.states.confirm(world.clock.now)
        for _ in range(chance.randrange(4) if not calm else 0):
            device, state = chance.choice(DEVICES), chance.choice((*STATES, None))
            truth.change(device, state, world.clock.now)
            for link in world.links.values():
                if link.states.freshness is Freshness.LIVE:
                    link.states.put(device, state)
        if not calm and chance.random() < 0.01 and len(world.ends) > 1:
            world.kill(chance.choice(list(world.ends)))
        if len(world.ends) < 2 and chance.random() < 0.1:
            world.add_collector(f"collector {step}").become_live(truth.listed)
        if not calm and chance.random() < 0.01:
            frozen_until = world.clock.now + chance.uniform(0, 2 * DEADLINE)
        if calm or chance.random() < 0.5:
            world.turn()
        for followed in followers:
            followed.follower.check()
        if calm:
            world.network.deliver()
        elif world.clock.now >= frozen_until:
            world.network.deliver_some(chance, loss=0.03)
        await world.settle()
        for followed in followers:
            for device in DEVICES:
                reading = followed.server.states.read(device)
                if reading.live:
                    checked += 1
                    assert truth.was(device, reading.state, world.clock.now - DEADLINE), f"seed {seed}, step {step}"
    for followed in followers:
        assert followed.server.states.current, f"seed {seed}"
        assert dict(followed.server.states.items()) == truth.listed, f"seed {seed}"
    await world.close()
    return checked


@pytest.mark.parametrize("first", range(0, 60, 20))
async def test_no_universe_lies_and_each_heals(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "CHUNK", 2)  # a snapshot of six devices takes four chunks
    assert sum([await run(seed) for seed in range(first, first + 20)]) > 20 * 1000
