"""The plan of `make run NATS=1`: who gets which secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.plan import Plan, make_plan
from service import settings


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path, 8080, bus=True)


def test_the_service_follows_and_has_no_ami_account(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    given = plan.service_settings()
    assert given["CONNECTOR_BUS_ROLE"] == "follower"
    ami = {plan.secrets["ami_monitor"], plan.secrets["ami_presence"], plan.secrets["bus_collector"]}
    assert not ami & set(given.values())
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert settings.load().call_servers["main"].ami_host is None


def test_the_collector_has_the_accounts_and_a_port_of_its_own(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in plan.collector_settings().items():
        monkeypatch.setenv(name, value)
    made = settings.load()
    assert (made.bus_role, made.http_port) == ("collector", plan.ports["collector"])
    assert made.call_servers["main"].ami_port == plan.ports["ami"]
    assert plan.secrets["bus_follower"] not in plan.collector_settings().values()


def test_without_a_bus_all_is_as_it_was_and_its_ports_are_remembered(plan: Plan, tmp_path: Path) -> None:
    without = make_plan(tmp_path, 8080)
    assert not without.has_bus
    assert not any(name.startswith("CONNECTOR_BUS") for name in without.service_settings())
    assert without.service_settings()["CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET"] == plan.secrets["ami_monitor"]
    assert make_plan(tmp_path, 8080, bus=True).secrets == plan.secrets
