"""A stored extension as `check` compares it with Asterisk: without secrets."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.models import device_of


@dataclass(frozen=True, slots=True)
class CheckedExtension:
    """A number and the endpoints of its phones."""

    number: str
    local_number: str
    """The number on its call server: `number` without the prefix of an import."""
    endpoints: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    """The endpoints that the last import did not find."""

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices of its phones."""
        return tuple(map(device_of, self.endpoints))
