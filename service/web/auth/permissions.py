"""Authorisation by permission."""

from __future__ import annotations

from service.domain.models import Person
from service.domain.permissions import Permission, has
from service.web.http.errors import NotPermitted


def require_permission(person: Person, permission: Permission) -> None:
    """Raises NotPermitted if the person lacks the permission."""
    if not has(person, permission):
        raise NotPermitted
