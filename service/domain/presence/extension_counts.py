"""Counts extensions by state, and registrations that came and went, as the presence feed changes. Pure.

A change costs a few additions, so that reading the counts costs nothing per extension.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from service.domain.models import DeviceState
from service.domain.presence.item import Item


class Kind(NamedTuple):
    """What extensions are counted by."""

    call_server: str
    state: str
    """Asterisk's text; `Unknown` unless the state is live."""
    registered: bool | None


class ExtensionCounts:
    """`extensions` keeps a kind of which there is none any more, with 0."""

    def __init__(self) -> None:
        self.extensions: Counter[Kind] = Counter()
        self.registrations: Counter[str] = Counter()
        """Extensions that became registered, by call server."""
        self.losses: Counter[str] = Counter()
        """Extensions that lost their last registration, by call server."""

    def replace(self, old: Item | None, new: Item | None) -> None:
        """Count an extension's new item instead of its old one. None: there is none."""
        if old is not None:
            self.extensions[_kind(old)] -= 1
        if new is not None:
            self.extensions[_kind(new)] += 1
        if old is not None and new is not None and old.registered is not new.registered:
            # Between a known and an unknown registration nothing was observed that came or went.
            if old.registered is False and new.registered:
                self.registrations[new.call_server] += 1
            elif old.registered and new.registered is False:
                self.losses[new.call_server] += 1


def _kind(item: Item) -> Kind:
    return Kind(item.call_server, item.state if item.live else DeviceState.UNKNOWN.value, item.registered)
