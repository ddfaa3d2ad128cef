"""From where somebody may log in."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.networks import Address, address_of, may_come_from, network
from service.errors import Invalid


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


V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda address: IPv6Address(address).ipv4_mapped is None)
PORTS = st.integers(0, 65535).map(lambda port: f":{port}")
ZONES = st.sampled_from(["", "%eth0", "%25eth0", "%1"])
AROUND = st.sampled_from(["{}", " {}", "{}\t", '"{}"', ' "{}" '])


@given(V4, st.one_of(st.just(""), PORTS), AROUND)
def test_an_ipv4_address_is_read_however_a_proxy_writes_it(address: IPv4Address, port: str, around: str) -> None:
    assert address_of(around.format(f"{address}{port}")) == address
    for mapped in (f"::ffff:{address}", f"[::FFFF:{address}]{port}"):
        assert address_of(around.format(mapped)) == address


@given(V6, ZONES, st.one_of(st.just(""), PORTS), AROUND, st.sampled_from([str, str.upper]))
def test_an_ipv6_address_is_read_however_a_proxy_writes_it(
    address: IPv6Address, zone: str, port: str, around: str, case: object
) -> None:
    written = str(address).upper() if case is str.upper else address.exploded
    assert address_of(around.format(f"[{written}{zone}]{port}")) == address
    assert address_of(around.format(f"{written}{zone}")) == address


@given(st.one_of(st.text(), st.text('0123456789abcdef.:[]%" ', max_size=30)))
def test_whatever_it_is_there_is_an_address_or_none(text: str) -> None:
    found = address_of(text)
    assert found is None or address_of(str(found)) == found == ip_address(str(found))


@pytest.mark.parametrize(
    "text",
    [
        "", "unknown", "_hidden", "-", "localhost", "example.com:80", "192.0.2.1:", "192.0.2.1:99999",
        "192.0.2.1:8\u0660", "192.0.2", "192.0.2.1.5", "010.0.0.1", "0x7f.1", "2130706433", "192.0.2.1/24",
        "[192.0.2.1]", "[192.0.2.1]:80",
        "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[2001:db8::1]:", "[[2001:db8::1]]", "2001:db8::1%",
        "for=192.0.2.1", '"192.0.2.1', "192.0.2.1, 192.0.2.2", "192.0.2.1\n", "\u0661\u0669\u0662.0.2.1", "192.0.2.1\0",
        "\ud800", "1" * 100_000,
    ],
    ids=range(31),
)  # fmt: skip
def test_what_is_no_address_is_none(text: str) -> None:
    found: Address | None = address_of(text)
    assert found is None
