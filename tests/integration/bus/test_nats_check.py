"""What `check` says of the bus, with a real NATS server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from local import ports
from local.nats import Nats
from service.bus import nats_check
from service.bus.broker import Broker
from service.domain.models import Finding
from tests.integration.bus.test_nats_access import COLLECTOR, FOLLOWER, at, guarded
from tests.support.cutter import cutting
from tests.support.nats import ends

__all__ = ["guarded"]


async def findings(broker: Broker, role: str) -> list[Finding]:
    return [finding async for finding in nats_check.check(broker, role, ["main"])]


@pytest.mark.parametrize(("login", "role"), [(COLLECTOR, "collector"), (FOLLOWER, "follower")])
async def test_the_deployed_permissions_are_right_and_nobody_hears_the_check(
    guarded: Nats, login: Broker, role: str
) -> None:
    async with ends(at(guarded, COLLECTOR), at(guarded, FOLLOWER)) as bus:
        await bus.connected()
        [finding] = await findings(at(guarded, login), role)
        assert not finding.fails
        assert finding.what == f"connected, and the user may do what a {role} does"
        bus.collector.publish("main", b"all")
        await asyncio.sleep(0.2)
        assert bus.bodies() == [b"all"]
        assert not bus.asked


@pytest.mark.parametrize(("login", "role"), [(COLLECTOR, "follower"), (FOLLOWER, "collector")])
async def test_a_user_of_the_other_role_is_told(guarded: Nats, login: Broker, role: str) -> None:
    found = await findings(at(guarded, login), role)
    assert len(found) == 4
    assert all(finding.fails and "permissions violation" in finding.what for finding in found)


@pytest.mark.parametrize(("role", "what"), [("follower", "may also publish states"), ("collector", "may also read")])
async def test_a_server_without_permissions_is_told(nats: Nats, role: str, what: str) -> None:
    _, too_much = await findings(Broker((nats.server,)), role)
    assert too_much.fails
    assert what in too_much.what


async def test_each_server_is_asked_and_each_failure_has_its_remedy(guarded: Nats, tmp_path: Path) -> None:
    closed = f"127.0.0.1:{ports.free_port()}"
    wrong = replace(COLLECTOR, secret="wrong", servers=(closed, guarded.server))
    down, refused = await findings(wrong, "collector")
    assert (down.part, down.remedy) == (f"bus {closed}", nats_check.START)
    assert (refused.part, refused.remedy) == (f"bus {guarded.server}", nats_check.LOGIN)
    assert "wrong" not in f"{down} {refused}"

    [unreadable] = await findings(replace(at(guarded, COLLECTOR), tls=True, ca_file=tmp_path / "none"), "collector")
    assert unreadable.remedy == nats_check.LOGIN


async def test_a_silent_server_is_told_within_the_deadline(guarded: Nats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_check, "DEADLINE", 1.0)
    async with cutting(guarded.port) as cutter:
        cutter.hold()
        [silent] = await findings(Broker((f"127.0.0.1:{cutter.port}",)), "collector")
        assert silent.fails
        assert "no answer" in silent.what


async def test_a_bus_that_others_can_read_is_told() -> None:
    found = await findings(Broker(("nats.invalid:4222",)), "follower")
    assert ["has no TLS" in finding.what for finding in found] == [True, False]
