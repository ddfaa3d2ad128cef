"""A SIP account, from which each configuration of a phone is made."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

_REORDERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Unicode's marks, embeddings, overrides and isolates for text in two directions."""


@dataclass(frozen=True, slots=True)
class SipAccount:
    """What a phone needs to register at a call server."""

    endpoint: str
    """The SIP user: what the phone registers as."""
    auth_username: str
    """User name of SIP authentication."""
    secret: str = field(repr=False)
    """SIP password."""
    display_name: str
    """Name of the person, or the extension; any text."""
    host: str
    """Host name or address as in the settings; an IPv6 address may lack its brackets."""
    port: int
    transport: str
    """`udp`, `tcp` or `tls`."""
    realm: str
    """Realm of SIP authentication."""

    @property
    def encrypts_media(self) -> bool:
        """Whether Asterisk refuses calls without SRTP: the view ps_endpoints says so for SIP over TLS."""
        return self.transport == "tls"

    @property
    def authority(self) -> str:
        """Host and port, an IPv6 address in brackets."""
        bare = self.host.strip("[]")
        return f"[{bare}]:{self.port}" if ":" in bare else f"{bare}:{self.port}"

    @property
    def shown_name(self) -> str:
        """The display name on one line; the endpoint for a name of which nothing is left."""
        return plain_name(self.display_name) or self.endpoint


def plain_name(text: str, most: int = 80) -> str:
    """Return a name on one line, for XML, JSON and SIP headers: without what they forbid, at most so many characters.

    Letters of any script stay, with the joiners of emoji; controls that reorder the text around them go.
    """
    kept = (letter for letter in text if letter.isspace() or not _is_left_out(letter))
    return " ".join("".join(kept).split())[:most].rstrip()


def _is_left_out(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Cn") or letter in _REORDERING
