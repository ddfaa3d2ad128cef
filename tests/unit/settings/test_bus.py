"""Settings of the bus."""

from __future__ import annotations

import pytest

from service import settings
from service.bus.broker import Broker
from service.errors import ConfigurationError
from service.settings import bus_url
from tests.unit.settings.test_settings import SERVER, environment, set_all

__all__ = ["environment"]

COLLECTOR = {"BUS_URL": "nats://collector@nats", "BUS_ROLE": "collector", "BUS_PASSWORD": "a secret"}


@pytest.mark.parametrize(
    ("url", "servers", "user", "tls"),
    [
        ("nats://h", ("h:4222",), None, False),
        ("tls://follower@h:4333", ("h:4333",), "follower", True),
        ("nats://h,i:1,[::1]", ("h:4222", "i:1", "[::1]:4222"), None, False),
        ("nats://u@h,nats://u@i", ("h:4222", "i:4222"), "u", False),
        ("nats://a%40b@h/", ("h:4222",), "a@b", False),
    ],
)
def test_a_url_names_servers_user_and_encryption(url: str, servers: tuple[str, ...], user: str, tls: bool) -> None:
    assert bus_url.parse(url) == bus_url.BusAddress(servers, user, tls)


@pytest.mark.parametrize(
    "url",
    ["", "h", "http://h", "nats://", "nats://h:0", "nats://h:x", "nats://u:secret@h", "nats://h,tls://i", "nats://h?a=b",
     "nats://u@h,v@i", "nats://h/path", "nats://h,", "nats://h,u:secret@i"],
)  # fmt: skip
def test_another_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"password|must look like|users|cannot be one") as told:
        bus_url.parse(url)
    assert "secret@" not in str(told.value)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"BUS_URL": "nats://h"}, "CONNECTOR_BUS_ROLE: is needed with bus_url"),
        ({"BUS_ROLE": "follower"}, "CONNECTOR_BUS_ROLE: is given without bus_url"),
        ({"BUS_CA_FILE": "/x"}, "CONNECTOR_BUS_CA_FILE: is given without bus_url"),
        ({**COLLECTOR, "BUS_ROLE": "leader"}, "CONNECTOR_BUS_ROLE: Input should be 'collector' or 'follower'"),
        ({**COLLECTOR, "BUS_URL": "nats://u:secret@h"}, "CONNECTOR_BUS_URL: holds a password"),
        ({**COLLECTOR, "BUS_PASSWORD": ""}, "CONNECTOR_BUS_PASSWORD: is needed"),
        ({**COLLECTOR, "BUS_CA_FILE": "/x"}, "CONNECTOR_BUS_URL: begins with nats://"),
        ({**COLLECTOR, "BUS_KEY_FILE": "/x"}, "CONNECTOR_BUS_KEY_FILE: is given without bus_certificate_file"),
        ({**COLLECTOR, "BUS_PASSWORD_FILE": "/x"}, "both bus_password and bus_password_file"),
    ],
)
def test_a_mistake_is_named(environment: pytest.MonkeyPatch, values: dict[str, str], what: str) -> None:
    set_all(environment, **values)
    with pytest.raises(ConfigurationError) as told:
        settings.load()
    assert what in str(told.value)
    assert "secret" not in str(told.value).replace("secret_file", "")


def test_a_follower_needs_no_ami_account(environment: pytest.MonkeyPatch) -> None:
    set_all(environment, **COLLECTOR, CALL_SERVERS__MAIN__HOST=SERVER["HOST"])
    with pytest.raises(ConfigurationError) as told:
        settings.load()
    assert str(told.value).splitlines()[1:] == [
        "  CONNECTOR_CALL_SERVERS__MAIN__AMI_HOST: Field required",
        "  CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET: Field required",
    ]
    environment.setenv("CONNECTOR_BUS_ROLE", "follower")
    assert settings.load().call_servers["main"].monitor_secret is None


def test_the_broker_is_that_of_the_settings(environment: pytest.MonkeyPatch) -> None:
    assert Broker.of(settings.load()) is None
    set_all(environment, **COLLECTOR)
    made = Broker.of(settings.load())
    assert made == Broker(("nats:4222",), "collector", "a secret")
    assert "a secret" not in repr(made)
