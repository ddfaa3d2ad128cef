"""Queues on a real Asterisk: what it says of them itself, calls that wait, and changes of `queues.conf`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from service.ami.link import Link
from tests.support.ami import Ami, Answer
from tests.support.eventually import eventually
from tests.support.pbx import Pbx

MEMBER = "Local/12343@queue-members/n"
"""The interface of one of the demo queue's members."""
IN_TIME = 15.0
"""Seconds within which what Asterisk tells is seen, also on a busy machine: before a list is tried again."""
AVERAGES_IN_TIME = 60.0
"""Seconds within which an average is seen. No event tells it, so a list is taken. On a busy machine a list is slow, and
puts the next one off by up to 10 s (`MAX_LIST_INTERVAL`)."""


def told(link: Link) -> dict[str, Answer] | None:
    """What the link knows, in the spelling of `QueueSummary`; None when it knows nothing."""
    if link.queues is None:
        return None
    return {
        summary.name: {
            "LoggedIn": str(summary.logged_in),
            "Available": str(summary.available),
            "Callers": str(summary.callers),
            "HoldTime": str(summary.averages.hold),
            "TalkTime": str(summary.averages.talk),
        }
        for summary in link.queues.summaries().values()
    }


async def agrees(link: Link, ami: Ami, within: float = AVERAGES_IN_TIME) -> None:
    """Wait until the link knows what Asterisk itself says."""

    async def same() -> bool:
        return told(link) == await ami.queue_summaries()

    await eventually(same, within, f"{told(link)} is what asterisk says: {await ami.queue_summaries()}")


async def shows(link: Link, within: float = IN_TIME, **numbers: int) -> None:
    """Wait until the demo queue has these `logged_in`, `available`, `callers`."""

    def there() -> bool:
        summaries = link.queues.summaries().values() if link.queues is not None else ()
        return any(
            summary.name == "demo" and all(getattr(summary, name) == number for name, number in numbers.items())
            for summary in summaries
        )

    await eventually(there, within, f"{numbers}, not {told(link)}")


async def call_in(ami: Ami, exten: str = "*55") -> None:
    """A call that waits in the demo queue, of nobody's phone."""
    answer = await ami.ask(
        "Originate", Channel="Local/*43@extensions", Context="extensions", Exten=exten, Priority="1", Async="true"
    )
    assert answer["Response"] == "Success", answer


async def hang_up_all(ami: Ami) -> None:
    """End every call that `call_in` made."""
    await ami.ask("Hangup", Channel="/^Local/")


def queues_conf(pbx: Pbx) -> Path:
    """The rendered file that this Asterisk reads."""
    assert pbx.asterisk._home is not None
    return pbx.asterisk._home / "etc/queues.conf"


@contextlib.contextmanager
def configured(pbx: Pbx, more: str) -> Iterator[None]:
    """Lines at the end of `queues.conf`, and Asterisk told to read it again; as before at the end."""
    conf = queues_conf(pbx)
    before = conf.read_text()
    conf.write_text(before + more)
    try:
        yield
    finally:
        conf.write_text(before)
        pbx.asterisk.rx("queue reload all")
