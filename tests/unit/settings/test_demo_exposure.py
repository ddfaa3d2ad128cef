"""Who else could reach the service, told by addresses."""

from __future__ import annotations

import pytest

from service.demo_exposure import find_exposure
from service.settings import Settings


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "[::]", "192.0.2.1", "2001:db8::1", "::ffff:0.0.0.0", "::ffff:192.0.2.1", "fe80::1%1", "0",
     "[::ffff:10.0.0.1]", "no.such.host.invalid", "", "not a host", "a" * 300, "\x00", "127.0.0.1, 0.0.0.0", "[[::1]]"],
)  # fmt: skip
def test_what_is_not_surely_the_loopback_can_be_reached_by_others(host: str) -> None:
    assert find_exposure(Settings(published_on=["127.0.0.1", host]))
    assert find_exposure(Settings(), bound=["::1", host])
    assert find_exposure(Settings().model_copy(update={"http_host": host}))  # the settings would refuse some of them


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1", "[::ffff:127.0.0.1]", "localhost"]
)
def test_the_loopback_is_this_machine_only(host: str) -> None:
    assert find_exposure(Settings(http_host=host)) is None
    assert find_exposure(Settings(http_host="0.0.0.0", published_on=[host])) is None
    assert find_exposure(Settings(http_host="0.0.0.0"), bound=[host]) is None


def test_a_proxy_may_bring_anybody() -> None:
    proxies = Settings.model_validate({"trusted_proxies": ["127.0.0.1/32"], "published_on": ["127.0.0.1"]})
    assert find_exposure(proxies)
