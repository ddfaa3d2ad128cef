"""Pages of a list, as Rocket.Chat counts them: `offset` and `count`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

USUAL, MOST = 50, 100
"""Rocket.Chat's defaults, `API_Default_Count` and `API_Upper_Count_Limit`."""


class Paging(msgspec.Struct, frozen=True):
    """Which page."""

    offset: Annotated[int, Meta(ge=0, description="Number of items to skip.")] = 0
    count: Annotated[
        int, Meta(ge=0, description="Maximum number of items, at most 100. 0 returns all remaining items.")
    ] = USUAL

    @property
    def most(self) -> int:
        """How many at most, as it is answered; 0: all that are left."""
        return min(self.count, MOST)

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """The page of these."""
        return items[self.offset : self.offset + self.most if self.most else None]
