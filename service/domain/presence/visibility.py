"""Which presence each role may see.

| role | sees |
| --- | --- |
| `admin` | all extensions |
| `agent` | all extensions |
| `client` | their own extension |
"""

from __future__ import annotations

from service.domain.models import Person, Role
from service.domain.presence.item import Item


def sees_all(person: Person) -> bool:
    """Return whether the person may see all extensions."""
    return person.role is not Role.CLIENT


def may_see(person: Person, item: Item) -> bool:
    """Return whether the person may see this item."""
    return sees_all(person) or item.user_id == person.uid
