"""Who may see whose presence, in one place.

| role | sees |
| --- | --- |
| `admin` | everybody |
| `agent` | everybody |
| `client` | their own extension |
"""

from __future__ import annotations

from service.domain.models import Person, Role
from service.domain.presence.item import Item


def sees_all(person: Person) -> bool:
    """Whether nothing has to be filtered."""
    return person.role is not Role.CLIENT


def may_see(person: Person, item: Item) -> bool:
    """Whether this person may see this item."""
    return sees_all(person) or item.user_id == person.uid
