"""Validates hosts, URL paths and origins in settings, which become parts of URLs and headers for browsers."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

_NO_HOST = "is no host: give a name such as pbx.example.com, or an address, without scheme, port and path"
_NO_ORIGIN = (
    "is no origin: write each as a browser sends it, such as https://phone.example.com or http://localhost:3000, in "
    "small letters, without a path, without the scheme's own port; * is none"
)
_NO_PUBLIC_URL = "is no URL such as https://phone.example.com or https://example.com/phones, without a query"
_MAX_NAME_LENGTH = 253
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.ASCII)
_NUMBER = re.compile(r"\d+|0[xX][0-9A-Fa-f]*", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9/._~!$&'()*+,;=:@?-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)
_WEB_PORTS = {"http": 80, "https": 443}


def host(text: str) -> str:
    """Validate a host for clients, and return it unchanged; an IPv6 address may have brackets. Raises ValueError."""
    if "%" in near_host(text):
        raise ValueError("is an address with a zone, which says nothing to others")
    return text


def near_host(text: str) -> str:
    """Validate a host for this machine, and return it; an IPv6 address without its brackets, perhaps with a zone.

    Raises ValueError, without the text, as a secret may be here by mistake.
    """
    if not text.isascii():
        raise ValueError("is no host in ASCII: write an international name as DNS has it, xn--…")
    bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    if ":" in text:
        _ipv6(bare)
    elif bare != text or not _is_name(text):
        raise ValueError(_NO_HOST)
    return bare


def authority(host: str, port: int | None = None) -> str:
    """Build the authority of a URL from host and port."""
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return bracketed if port is None else f"{bracketed}:{port}"


def url_path(text: str) -> str:
    """Validate a path, perhaps with a query, that browsers do not rewrite. Raises ValueError, without the text."""
    if not _PATH.fullmatch(text):
        raise ValueError(
            "is no path of a URL: it begins with / and has %XX for all but letters, digits and punctuation"
        )
    return text


def origin(text: str) -> str:
    """Validate an origin in the form that browsers send. Raises ValueError, without the text."""
    if text == "null":
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
        named = host(parts.hostname or "")
    except ValueError:
        raise ValueError(_NO_ORIGIN) from None
    usual = port is not None and _WEB_PORTS.get(parts.scheme) == port
    if not _SCHEME.fullmatch(parts.scheme) or usual or text != f"{parts.scheme}://{authority(named.lower(), port)}":
        raise ValueError(_NO_ORIGIN)
    return text


def public_url(text: str) -> str:
    """Validate a URL that links begin with, and return it without a slash at its end. Links hold secrets.

    Raises ValueError, without the text.
    """
    base, slash, path = text.partition("://")[2].partition("/")
    scheme = text.partition("://")[0]
    try:
        named = origin(f"{scheme}://{base}")
        url_path(slash + path or "/")
    except ValueError:
        raise ValueError(_NO_PUBLIC_URL) from None
    if "?" in path or scheme not in _WEB_PORTS:
        raise ValueError(_NO_PUBLIC_URL)
    if scheme == "http" and not _is_loopback(urlsplit(named).hostname or ""):
        raise ValueError("links hold secrets: the scheme is https, except for localhost, 127.0.0.1 and [::1]")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ipv6(text: str) -> None:
    try:
        parsed = ip_address(text)
    except ValueError:
        raise ValueError(_NO_HOST) from None
    if not isinstance(parsed, IPv6Address):
        raise ValueError(_NO_HOST)


def _is_name(text: str) -> bool:
    """Return whether it is a name or an IPv4 address. Browsers parse a name that ends in a number as an address."""
    if not _NAME.fullmatch(text) or len(text) > _MAX_NAME_LENGTH:
        return False
    if not _NUMBER.fullmatch(text.removesuffix(".").rpartition(".")[2]):
        return True
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
