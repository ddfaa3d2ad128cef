"""A queue feed over call servers that a test makes: what they hold, whether they are live, whose their members are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web

from service.domain.device_mapping import DeviceMapping
from service.domain.device_states import DeviceStates
from service.domain.directory import Directory
from service.domain.models import DeviceState, Extension, Person, Role
from service.domain.queue_entries import Averages, Caller, Member, QueueSnapshot
from service.domain.queue_feed import QueueFeed
from service.domain.queue_scope import QueueScope
from service.domain.queues import Queues
from service.web.app_keys import DIRECTORY, QUEUE_FEED
from service.web.queues.events import QueueStream
from service.web.queues.rendering import QUEUE_RENDERING, QueueRendering
from tests.support.stored import stored_extension

PROCESS = "2f61c09a7b1e"


@dataclass
class CallServer:
    """What a link knows of one Asterisk's queues."""

    listed: Queues = field(default_factory=Queues)
    live: bool = False
    mapping: DeviceMapping = field(
        default_factory=lambda: DeviceMapping(DeviceStates(lambda: 0.0, 5.0, lambda _: None))
    )

    @property
    def queues(self) -> Queues | None:
        return self.listed if self.live and self.listed.known else None

    def queues_of(self, extension: Extension) -> tuple[str, ...]:
        if self.queues is None:
            return ()
        return tuple(self.queues.of_extension(extension.number, self.mapping.devices_of(extension)))


class QueueWorld:
    """Call servers with queues, people, and the feed. What the loop has to run later is in `later`."""

    def __init__(self, *names: str) -> None:
        self.servers = {name: CallServer() for name in names}
        self.directory = Directory(lambda: 0.0, lambda: 0.0)
        self.directory.confirm(0.0)
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.now = 0.0
        self.feed = QueueFeed(
            self.servers, self.directory, PROCESS, lambda: self.now, lambda after, run: self.later.append((after, run))
        )
        self.app: dict[Any, Any] = {DIRECTORY: self.directory, QUEUE_FEED: self.feed}
        self.rendering = self.app[QUEUE_RENDERING] = QueueRendering(self.feed, b"key")

    def list(self, server: str, *queues: str, members: tuple[tuple[str, str], ...] = ()) -> None:
        """The link has read a list: queues, and their members by extension."""
        held = {(queue, device(number)): member(number) for queue, number in members}
        self.servers[server].listed.end_snapshot(QueueSnapshot({name: Averages(0, 0) for name in queues}, held, {}))
        self.servers[server].live = True
        self.feed.touch(server)

    def lose(self, server: str) -> None:
        """The link is lost."""
        self.servers[server].listed.lost()
        self.servers[server].live = False
        self.feed.touch(server)

    def join(self, server: str, queue: str, call: str, number: str | None = "0301", at: int = 1) -> None:
        self.servers[server].listed.caller_joined(queue, call, Caller(at, 1000.0, number))
        self.feed.touch(server)

    def leave(self, server: str, queue: str, call: str) -> None:
        self.servers[server].listed.caller_left(queue, call)
        self.feed.touch(server)

    def put(self, server: str, queue: str, number: str, **facts: Any) -> None:
        """A member is there, with these facts."""
        self.servers[server].listed.member(queue, member(number, **facts))
        self.feed.touch(server)

    def take(self, server: str, queue: str, number: str) -> None:
        """A member is gone."""
        self.servers[server].listed.member_gone(queue, device(number))
        self.feed.touch(server)

    def person(self, user_id: int, role: Role, *extensions: str) -> Person:
        made = Person(user_id, f"u{user_id}", f"name{user_id}", role, True, "", None, False)
        self.directory.put_person(user_id, made)
        for number in extensions:
            self.assign(number, user_id)
        return made

    def assign(self, number: str, user_id: int | None) -> None:
        """An extension of the first call server is somebody's."""
        extension = stored_extension(number, user_id=user_id)
        self.directory.put_extension(number, extension)
        name = next(iter(self.servers))
        self.servers[name].mapping.follow([extension], ())
        self.feed.touch(name)

    def scope(self, person: Person, *names: str) -> QueueScope:
        return QueueScope(self.feed, self.directory, person, frozenset(names) or None)

    def stream(self, scope: QueueScope, notify: Callable[[], None] = lambda: None) -> QueueStream:
        return QueueStream(cast(web.Request, SimpleNamespace(app=self.app)), scope, notify)

    def run_later(self) -> None:
        """What the loop has to run."""
        due, self.later = self.later, []
        for _, run in due:
            run()


def device(number: str) -> str:
    return f"Local/{number}@members"


def member(number: str, **facts: Any) -> Member:
    return Member(device(number), device(number), DeviceState.NOT_INUSE, facts.pop("paused", False), **facts)
