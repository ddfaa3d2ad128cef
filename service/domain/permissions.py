"""Who may do what: Rocket.Chat's permissions, mapped to the roles of this service in one table.

`client` is a person who has a phone and nothing to manage: they may use what is their own.
"""

from __future__ import annotations

import enum

from service.domain.models import Person, Role


class Permission(enum.StrEnum):
    """Under Rocket.Chat's own names, as its pages and its code have them."""

    MANAGE_CALL_SETTINGS = "manage-voip-call-settings"
    MANAGE_CONTACT_CENTER = "manage-voip-contact-center-settings"
    MANAGE_AGENT_EXTENSIONS = "manage-agent-extension-association"
    VIEW_AGENT_EXTENSIONS = "view-agent-extension-association"
    INBOUND_CALLS = "inbound-voip-calls"


ROLES: dict[Permission, frozenset[Role]] = {
    Permission.MANAGE_CALL_SETTINGS: frozenset({Role.ADMIN}),
    Permission.MANAGE_CONTACT_CENTER: frozenset({Role.ADMIN}),
    Permission.MANAGE_AGENT_EXTENSIONS: frozenset({Role.ADMIN}),
    Permission.VIEW_AGENT_EXTENSIONS: frozenset({Role.ADMIN, Role.AGENT}),
    Permission.INBOUND_CALLS: frozenset({Role.ADMIN, Role.AGENT}),
}
"""Which roles have which permission."""


def has(person: Person, permission: Permission) -> bool:
    """Whether it is among those of the person's role."""
    return person.role in ROLES[permission]
