"""Signing: the registration info inside a JWS, where the settings hold a secret for it."""

from __future__ import annotations

import jwt
import msgspec

from service.domain.registration_info import Registration, tagged

JWT_LIFETIME = 3600
JWT_RENEWED_EVERY = 1800
JWT_LEEWAY = 300
"""Seconds by which the clock of whoever verifies it may be behind ours."""

_encode = msgspec.json.Encoder().encode


def signed(found: Registration, secret: str, *, tag_key: bytes, now: float) -> Registration:
    """The answer inside a JWS (HS256) that is valid for an hour: signed, not encrypted.

    It begins JWT_LEEWAY before the last full half hour (`now` is in seconds since the epoch), so that every replica
    makes the same one, and one that a client holds because of a 304 is valid for 25 minutes more at least.
    """
    begins = int(now // JWT_RENEWED_EVERY * JWT_RENEWED_EVERY) - JWT_LEEWAY
    claims = {
        "iat": begins,
        "nbf": begins,
        "exp": begins + JWT_LIFETIME,
        "aud": "RocketChat",
        "context": msgspec.json.decode(found.body),
    }
    body = _encode({"result": jwt.encode(claims, secret, algorithm="HS256"), "success": True})
    return tagged(body, found.reading, tag_key)
