"""A reason: a stable code for programs, and two sentences for people."""

from __future__ import annotations

import enum
from dataclasses import dataclass

COMMAND = "python -m service"


class ReasonCode(enum.StrEnum):
    """Why a state is unknown or no phone answers. In the order in which an operator meets them."""

    CALL_SERVER_NOT_IN_SETTINGS = "call-server-not-in-settings"
    EXTENSION_DISABLED = "extension-disabled"
    USER_INACTIVE = "user-inactive"
    USER_UNREADABLE = "user-unreadable"
    DIRECTORY_STALE = "directory-stale"
    UNREACHABLE = "call-server-unreachable"
    LOGIN_REFUSED = "login-refused"
    CLASS_MISSING = "class-missing"
    LINK_DOWN = "link-down"
    NO_COLLECTOR = "no-collector"
    """No process that holds the link is heard on the bus."""
    SYNCHRONISING = "synchronising"
    SILENT = "silent"
    AMBIGUOUS_HINTS = "ambiguous-hints"
    HINT_WITHOUT_DEVICE = "hint-without-device"
    NO_DEVICE = "no-device"
    OTHER_DEVICE = "other-device"
    """The hint names other devices than the stored phones."""
    ENDPOINT_MISSING = "endpoint-missing"
    """The last import did not find it."""
    ENDPOINT_UNKNOWN = "endpoint-unknown"
    """Asterisk does not know it."""
    NOT_TRACKED_YET = "not-tracked-yet"
    UNTRACKED = "untracked"
    DEVICE_UNKNOWN = "device-unknown"
    """Asterisk's own word for a device that nobody has set."""
    CONTACTS_UNKNOWN = "contacts-unknown"
    NOT_REGISTERED = "not-registered"
    NOT_ANSWERING = "not-answering"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a state is unknown or no phone answers, and what to do."""

    code: ReasonCode
    cause: str
    next_step: str
