"""Signs registration info as a JWS, if a secret is configured."""

from __future__ import annotations

import jwt
import msgspec

from service.domain.registration_info import Registration

JWT_LIFETIME = 3600
JWT_RENEWAL_INTERVAL = 1800
JWT_LEEWAY = 300
"""Seconds by which a verifier's clock may be behind ours."""

_encode = msgspec.json.Encoder().encode


def sign(info: Registration, secret: str, *, now: float) -> Registration:
    """The info in a JWS (HS256) that is valid for an hour: signed, not encrypted. `now` is in seconds since the epoch.

    Its validity begins JWT_LEEWAY before the last full half hour. So every replica makes the same JWS, and one that a
    client keeps after a 304 is valid for at least 25 more minutes.
    """
    valid_from = int(now // JWT_RENEWAL_INTERVAL * JWT_RENEWAL_INTERVAL) - JWT_LEEWAY
    claims = {
        "iat": valid_from,
        "nbf": valid_from,
        "exp": valid_from + JWT_LIFETIME,
        "aud": "RocketChat",
        "context": msgspec.json.decode(info.body),
    }
    body = _encode({"result": jwt.encode(claims, secret, algorithm="HS256"), "success": True})
    return Registration(body, info.reading)
