"""Keys that seal (encrypt) SIP passwords in PostgreSQL, which itself does not store them.

A master key has 256 random bits. From it each call server's key is derived, HMAC-SHA-256 of the call server's name, and
that is all that its Asterisk gets. Migration 0023 derives the same in SQL, where secrets are sealed and opened.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

KEY_BYTES = 32
_HEX = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key and its name."""

    name: str
    """The first 8 hexadecimal digits of its SHA-256. Each sealed row names its key."""
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Parse 64 hexadecimal digits. Raises ValueError, without the text."""
        if not _HEX.fullmatch(lower := text.strip().lower()):
            raise ValueError(f"a key has {2 * KEY_BYTES} hexadecimal digits, as `openssl rand -hex {KEY_BYTES}` prints")
        key = bytes.fromhex(lower)
        return cls(hashlib.sha256(key).hexdigest()[:8], key)

    def derive(self, call_server: str) -> bytes:
        """Derive the key of a call server, 32 bytes."""
        return hmac.digest(self.key, call_server.encode(), "sha256")


def service_setting(keys: Iterable[MasterKey]) -> str:
    """Return the value of `connector.master_keys` for a service's connections."""
    return ",".join(f"{key.name}:{key.key.hex()}" for key in keys)


def asterisk_setting(keys: Iterable[MasterKey], call_server: str) -> str:
    """Return the value of `connector.keys` for the connections of a call server's Asterisk."""
    return ",".join(f"{key.name}:{key.derive(call_server).hex()}" for key in keys)
