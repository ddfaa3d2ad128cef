"""What must hold of the queues that a link shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from service.ami.link import Link
from service.domain.queue_entries import Caller, Member, QueueContents
from tests.simulation.queues import Facts, Queue, Queues


class QueueChecks:
    """Compares the queues of one link with those of the Asterisk behind it."""

    def __init__(self, link: Link, queues: Queues, since: Callable[[], float]) -> None:
        self._link = link
        self._queues = queues
        self._since = since
        self.live = 0
        """Queues that were shown."""

    def lies(self) -> Iterator[str]:
        """Each member that is shown was so, each caller waited; and none that was there all the time is left out.

        Of the order of callers two are compared, who both waited all the time. Nothing tells when those behind move up.
        """
        shown = self._link.queues
        if shown is None:
            return
        since = self._since()
        contents = shown.contents()
        for queue in self._queues.queues.values():
            if queue.name not in contents:
                yield f"the queue {queue.name} is not shown"
                continue
            self.live += 1
            yield from _lies_of_members(queue, contents[queue.name].members, since)
            yield from _lies_of_callers(queue, contents[queue.name].callers, since)

    def wrongs(self) -> list[str]:
        """What is not as it is in Asterisk, once nothing happens any more."""
        shown = self._link.queues
        if shown is None:
            return ["the queues are unknown"]
        contents = shown.contents()
        return [
            f"the queue {queue.name} has {_told(contents.get(queue.name))} instead of {_expected(queue)}"
            for queue in self._queues.queues.values()
            if _told(contents.get(queue.name)) != _expected(queue)
        ]


def _lies_of_members(queue: Queue, members: tuple[Member, ...], since: float) -> Iterator[str]:
    shown = {member.interface: _facts(member) for member in members}
    for interface in shown.keys() | queue.member_history.keys():
        history = queue.member_history.get(interface)
        held = [None] if history is None else history.held(since)
        if history is not None and not history.held_before(since):
            held.append(None)
        if shown.get(interface) not in held:
            yield f"{queue.name} shows {shown.get(interface)} of {interface}, and was {held}"


def _lies_of_callers(queue: Queue, callers: tuple[Caller, ...], since: float) -> Iterator[str]:
    shown = [caller.caller_id for caller in callers]
    held = [list(order) for order in queue.caller_history.held(since)]
    ever = {number for order in held for number in order}
    lasting = [number for number in held[0] if all(number in order for order in held)]
    if not set(shown) <= ever or not set(lasting) <= set(shown) or len(set(shown)) < len(shown):
        yield f"{queue.name} shows the callers {shown}, and had {held}"
    elif [number for number in shown if number in lasting] != lasting:
        yield f"{queue.name} shows the callers in the order {shown}, and it was {held}"


def _facts(member: Member) -> Facts:
    return member.interface, member.state.name, member.paused, member.penalty


def _told(contents: QueueContents | None) -> tuple[list[Facts], list[str | None]] | None:
    if contents is None:
        return None
    return sorted(map(_facts, contents.members)), [caller.caller_id for caller in contents.callers]


def _expected(queue: Queue) -> tuple[list[Facts], list[str]]:
    return sorted(member.facts for member in queue.members.values()), [caller.number for caller in queue.callers]
