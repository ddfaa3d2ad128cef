"""The Asterisks in the shape of others are what the tests take them for, as Asterisk itself says."""

from __future__ import annotations

import re

import pytest

from tests.support.ami import logged_in
from tests.support.existing.pbx import ExistingPbx

PHONES = {
    "freepbx_like": ("1001", "991001", "3001"),
    "mikopbx_like": ("201", "203-WS"),
    "vanilla_like": ("alice", "kitchen.2", "1004"),
    "chan_sip_like": ("1001", "1003"),
}
EXPOSING = ("func_config", "func_curl", "func_env", "func_realtime", "func_shell", "func_sorcery")


@pytest.fixture(params=PHONES)
def shaped(request: pytest.FixtureRequest) -> ExistingPbx:
    found: ExistingPbx = request.getfixturevalue(request.param)
    return found


def test_every_endpoint_of_the_files_is_there(shaped: ExistingPbx) -> None:
    assert shaped.endpoints() == shaped.shape.endpoints


def test_a_freepbx_has_a_thousand_extensions_and_eight_endpoints_more(freepbx_like: ExistingPbx) -> None:
    assert freepbx_like.endpoints() == 1008


def test_each_hint_names_the_devices_of_its_extension(shaped: ExistingPbx) -> None:
    shown = dict(
        re.findall(rf"^(\S+)@{shaped.shape.hint_context} +: (\S+)", shaped.asterisk.rx("core show hints"), re.MULTILINE)
    )
    counted = {
        number: tuple(device for device in devices.partition(",")[0].split("&") if not device.startswith("Custom:"))
        for number, devices in shown.items()
    }
    assert counted == shaped.shape.devices


def test_each_queue_has_its_members(shaped: ExistingPbx) -> None:
    for queue, members in shaped.shape.members.items():
        shown = shaped.asterisk.rx(f"queue show {queue}")
        assert shown.count("has taken no calls yet") == len(members)


def test_phones_register(shaped: ExistingPbx, request: pytest.FixtureRequest) -> None:
    for endpoint in PHONES[request.node.callspec.params["shaped"]]:
        with shaped.phone(endpoint) as phone:
            phone.wait_registered()


async def test_the_accounts_that_the_service_is_given_may_log_in(shaped: ExistingPbx) -> None:
    config = shaped.asterisk.config
    secrets = {
        "monitor": config.monitor_secret,
        "presence": config.presence_secret,
        "credentials": shaped.shape.accounts.credentials,
        "sync": config.sync_secret,
    }
    for username, secret in secrets.items():
        async with logged_in(config.ami_port, username, secret):
            pass


@pytest.mark.parametrize(
    ("shape", "loaded"), [("freepbx_like", True), ("vanilla_like", False), ("mikopbx_like", False)]
)
def test_modules_that_expose_secrets_are_where_autoload_has_them(
    request: pytest.FixtureRequest, shape: str, loaded: bool
) -> None:
    shown = request.getfixturevalue(shape).asterisk.rx("module show like func_")
    assert [module for module in EXPOSING if f"{module}.so" in shown] == (list(EXPOSING) if loaded else [])
