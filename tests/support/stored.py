"""Extensions as they are stored, for tests of what is made of them."""

from __future__ import annotations

from service.domain.checked_extension import CheckedExtension
from service.domain.models import Extension, Phone, Profile

A_SECRET = "secret"


def stored_phone(endpoint: str, secret: str = A_SECRET, **fields: object) -> Phone:
    """A phone whose id follows from its endpoint's name."""
    values: dict[str, object] = {"auth_username": endpoint, "profile": Profile.WEBRTC, "phone_id": hash(endpoint)}
    return Phone(endpoint=endpoint, secret=secret, **{**values, **fields})  # type: ignore[arg-type]


def stored_extension(
    number: str, secret: str = A_SECRET, *, enabled: bool = True, user_id: int | None = None, call_server: str = "main"
) -> Extension:
    """An extension with its own phone."""
    return Extension(number, call_server, enabled, user_id, number, (stored_phone(number, secret),))


def checked_extensions(*numbers: str) -> list[CheckedExtension]:
    """Extensions with their own phones, as `check` looks at them."""
    return [CheckedExtension(number, number, (number,)) for number in numbers]
