"""Addresses and networks: from where somebody may log in, and what counts as one place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from service.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_MAPPED_BITS = 96
_HOST_BITS = 64
_LONGEST = 128
_IN_BRACKETS = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::(\d{1,5}))?", re.ASCII)
_WITH_PORT = re.compile(r"([\d.]+):(\d{1,5})", re.ASCII)
_LAST_PORT = 65535


def address_of(text: str) -> Address | None:
    """An address as a proxy writes it: bare, with a port, in brackets, in quotes, with a zone. None for what is none.

    IPv4 in IPv6's clothes is IPv4; a zone says nothing to others.
    """
    word = text.strip(" \t")
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1]
    if len(word) > _LONGEST:
        return None
    if found := _IN_BRACKETS.fullmatch(word) or _WITH_PORT.fullmatch(word):
        word, port = found.groups()
        if int(port or 0) > _LAST_PORT:
            return None
    try:
        parsed = ip_address(word)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        return parsed.ipv4_mapped or IPv6Address(int(parsed))
    return parsed


@lru_cache(maxsize=1024)
def is_loopback(text: str) -> bool:
    """Whether an address is this machine's loopback; False if it is none."""
    address = address_of(text)
    return address is not None and address.is_loopback


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
    came_from = address_of(address)
    return came_from is not None and any(_holds(text, came_from) for text in listed)


def prefix(address: str) -> str:
    """What counts as one place: an IPv4 address; of IPv6 the /64, as one customer has at least that many addresses.

    What is no address is a place of its own.
    """
    came_from = address_of(address)
    if came_from is None:
        return address
    if isinstance(came_from, IPv4Address):
        return str(came_from)
    return f"{IPv6Address(int(came_from) >> _HOST_BITS << _HOST_BITS)}/64"


def _holds(text: str, address: Address) -> bool:
    try:
        return address in network(text)
    except Invalid:
        return False
