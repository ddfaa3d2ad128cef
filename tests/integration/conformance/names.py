"""Paths and answers that several tables of the extensions share."""

from __future__ import annotations

from tests.integration.conformance.table import failed

DETAILS = "/api/v1/connector.extension.getDetails"
BY_EXTENSION = "/api/v1/connector.extension.getRegistrationInfoByExtension"
EXTENSIONS = "/api/v1/omnichannel/extensions"
NUMBERS = "/api/v1/omnichannel/extension"
AGENT = "/api/v1/omnichannel/agent/extension"
AVAILABLE = "/api/v1/omnichannel/agents/available"
QUEUES = "/api/v1/voip/queues.getSummary"

SECRET = "my$up3erP@ssw0rd"
NO_EXTENSION, NO_USER = failed("Extension not found"), failed("User not found")


def listed(number: str) -> dict[str, str]:
    """An extension as lists have it."""
    return {"extension": number, "state": "Unknown", "password": "", "authtype": ""}


def page(extensions: list[object], offset: object = 0, count: int = 50, total: int | None = None) -> dict[str, object]:
    """A page of extensions."""
    total = len(extensions) if total is None else total
    return {"extensions": extensions, "offset": offset, "count": count, "total": total, "success": True}


NO_ALTERNATIVE = "Failed Match.OneOf, Match.Maybe or Match.Optional validation"
"""What Rocket.Chat says where one thing or another will do, and neither is there."""
