"""Codes that a person types on a screen, to hand it a token with the scope `board`.

Crockford's base32 has no letters that look like digits. Who types one all the same, or another case, means the digit.
"""

from __future__ import annotations

import hashlib
import secrets

CODE_LENGTH = 10
"""Characters, five random bits each: see docs/decisions/0047."""
CODE_LIFETIME = 600
"""Seconds for which a code is valid."""
MAX_CODES = 10
"""Codes of one admin. The oldest ends for a new one."""
MAX_BOARD_TOKENS = 50
"""Board tokens of one admin. The oldest ends for a new one."""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP = 5
_MEANT = str.maketrans("OIL", "011", " -")
_MAX_TYPED = 40


def new_board_code() -> str:
    """Make a random code of 50 bits, as it is shown: two groups with a hyphen."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    return f"{code[:_GROUP]}-{code[_GROUP:]}"


def hash_board_code(typed: str) -> bytes | None:
    """Return the SHA-256 by which a code is stored; None for what cannot be one.

    Case, spaces and hyphens are ignored.
    """
    if len(typed) > _MAX_TYPED:
        return None
    code = typed.upper().translate(_MEANT)
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        return None
    return hashlib.sha256(code.encode()).digest()
