"""Addresses and networks: from where somebody may log in, and what counts as one place."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from service.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_MAPPED_BITS = 96
_HOST_BITS = 64


def network(text: str) -> Network:
    """An address, or a network in CIDR's form. IPv4 in IPv6's clothes is IPv4. Raises Invalid."""
    try:
        parsed = ip_network(text)
    except ValueError:
        raise Invalid(f"{text!a} is neither an address nor a network such as 192.0.2.0/24") from None
    if isinstance(parsed, IPv6Network) and parsed.prefixlen >= _MAPPED_BITS:
        mapped = parsed.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((mapped, parsed.prefixlen - _MAPPED_BITS))
    return parsed


def may_come_from(allowed: Iterable[str], address: str) -> bool:
    """Whether an address is in one of these; without any, all are. What cannot be read lets nobody in."""
    listed = list(allowed)
    if not listed:
        return True
    try:
        came_from = _unmapped(ip_address(address))
    except ValueError:
        return False
    return any(_holds(text, came_from) for text in listed)


def prefix(address: str) -> str:
    """What counts as one place: an IPv4 address; of IPv6 the /64, as one customer has at least that many addresses.

    What is no address is a place of its own.
    """
    try:
        came_from = _unmapped(ip_address(address))
    except ValueError:
        return address
    if isinstance(came_from, IPv4Address):
        return str(came_from)
    return f"{IPv6Address(int(came_from) >> _HOST_BITS << _HOST_BITS)}/64"


def _holds(text: str, address: Address) -> bool:
    try:
        return address in network(text)
    except Invalid:
        return False


def _unmapped(address: Address) -> Address:
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
