"""Rocket.Chat's permissions, mapped to the roles of this service.

A `client` has a phone and no administrative tasks, and may use only what is their own.
"""

from __future__ import annotations

import enum

from service.domain.models import Person, Role, TokenScope


class Permission(enum.StrEnum):
    """Permissions by Rocket.Chat's names, from its pages and code."""

    MANAGE_CALL_SETTINGS = "manage-voip-call-settings"
    MANAGE_CONTACT_CENTER = "manage-voip-contact-center-settings"
    MANAGE_AGENT_EXTENSIONS = "manage-agent-extension-association"
    VIEW_AGENT_EXTENSIONS = "view-agent-extension-association"
    INBOUND_CALLS = "inbound-voip-calls"
    VIEW_LOGS = "view-logs"


ROLES: dict[Permission, frozenset[Role]] = {
    Permission.MANAGE_CALL_SETTINGS: frozenset({Role.ADMIN}),
    Permission.MANAGE_CONTACT_CENTER: frozenset({Role.ADMIN}),
    Permission.MANAGE_AGENT_EXTENSIONS: frozenset({Role.ADMIN}),
    Permission.VIEW_AGENT_EXTENSIONS: frozenset({Role.ADMIN, Role.AGENT}),
    Permission.INBOUND_CALLS: frozenset({Role.ADMIN, Role.AGENT}),
    Permission.VIEW_LOGS: frozenset({Role.ADMIN}),
}
"""The roles that have each permission."""

BOARD_PERMISSIONS = frozenset({Permission.INBOUND_CALLS})
"""The permissions that a token with the scope `board` may use, if its user has them."""


def has(person: Person, permission: Permission) -> bool:
    """Return whether the person's role has the permission, and the scope of their token allows it."""
    if person.scope is not TokenScope.ALL and permission not in BOARD_PERMISSIONS:
        return False
    return person.role in ROLES[permission]
