"""IP addresses and networks: parsing, permitted sources of logins, and prefixes that count as one source."""

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
_MAX_LENGTH = 128
_IN_BRACKETS = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::(\d{1,5}))?", re.ASCII)
_WITH_PORT = re.compile(r"([\d.]+):(\d{1,5})", re.ASCII)
_LAST_PORT = 65535


def address_of(text: str) -> Address | None:
    """Parse an address as proxies write it: bare, with a port, in brackets or quotes, or with a zone. None if invalid.

    An IPv4-mapped IPv6 address becomes IPv4. A zone is dropped, as it has a meaning only on its own machine.
    """
    word = text.strip(" \t")
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1]
    if len(word) > _MAX_LENGTH:
        return None
    if match := _IN_BRACKETS.fullmatch(word) or _WITH_PORT.fullmatch(word):
        word, port = match.groups()
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
    """Parse an address or a network in CIDR notation. An IPv4-mapped one becomes IPv4. Raises Invalid."""
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
    """Return whether an address is in one of the allowed networks; if there are none, every address is allowed.

    An invalid address or network matches nothing.
    """
    networks = list(allowed)
    if not networks:
        return True
    parsed = address_of(address)
    return parsed is not None and any(_contains(text, parsed) for text in networks)


def prefix(address: str) -> str:
    """Return the prefix that counts as one source: an IPv4 address, or an IPv6 /64, which every customer has at least.

    An invalid address is its own prefix.
    """
    parsed = address_of(address)
    if parsed is None:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return f"{IPv6Address(int(parsed) >> _HOST_BITS << _HOST_BITS)}/64"


def _contains(text: str, address: Address) -> bool:
    try:
        return address in network(text)
    except Invalid:
        return False
