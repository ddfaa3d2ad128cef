"""Authorisation: a caller without a permission is refused."""

from __future__ import annotations

from service.domain.models import Person
from service.domain.permissions import Permission, has
from service.web.http.errors import NotPermitted


def demand(person: Person, permission: Permission) -> None:
    """Raises NotPermitted."""
    if not has(person, permission):
        raise NotPermitted
