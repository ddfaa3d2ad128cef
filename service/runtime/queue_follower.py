"""Feeds the queue feed: links report what may have changed, and whether they are current."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from service.clock import uptime
from service.domain.call_server import CallServer
from service.domain.directory import Directory
from service.domain.queue_feed import QueueFeed
from service.runtime.presence_composer import PresenceComposer


def follow_queues(composer: PresenceComposer, links: Mapping[str, CallServer], directory: Directory) -> QueueFeed:
    """Make the queue feed of these links. Its cursors are of the same process as those of the presence feed."""
    feed = QueueFeed(links, directory, composer.feed.instance, uptime, asyncio.get_running_loop().call_later)
    for name, link in links.items():
        link.queues_changed = partial(feed.touch, name)
    composer.link_observers.append(lambda call_server, _current: feed.touch(call_server))
    return feed
