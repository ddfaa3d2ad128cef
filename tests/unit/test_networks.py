"""From where somebody may log in."""

from __future__ import annotations

import pytest

from service.errors import Invalid
from service.networks import may_come_from, network


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        ([], "192.0.2.1", True),
        ([], "unknown", True),
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["192.0.2.1/32"], "192.0.2.1", True),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["0.0.0.0/0"], "192.0.2.1", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:DB8:0:0::1", True),
        (["2001:db8::1"], "2001:db8::2", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["::ffff:192.0.2.7"], "192.0.2.7", True),
        (["::ffff:192.0.2.0/120"], "192.0.2.7", True),
        (["::ffff:192.0.2.0/120"], "::ffff:192.0.3.7", False),
        (["::/0"], "192.0.2.7", False),
        (["10.0.0.0/8", "192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "unknown", False),
        (["192.0.2.7"], "", False),
        (["nonsense"], "192.0.2.7", False),
        (["nonsense", "192.0.2.7"], "192.0.2.7", True),
        ([""], "192.0.2.7", False),
    ],
)
def test_who_may_come_from_where(allowed: list[str], address: str, may: bool) -> None:
    assert may_come_from(allowed, address) is may


@pytest.mark.parametrize(
    "text",
    ["", " 192.0.2.1", "192.0.2.1/33", "192.0.2.1/24", "192.0.2", "example.com", "1", "*", "192.0.2.1-9"],
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        network(text)
