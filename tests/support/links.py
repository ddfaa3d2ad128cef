"""Links on a real Asterisk without the rest of the service, and an Asterisk whose custom devices a test may set."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from local.asterisk_programs import TEMPLATES, Programs
from service.ami.accounts import Account
from service.ami.link import Link
from service.domain.device_states import Freshness
from service.domain.models import Extension
from service.runtime.task_supervisor import Supervisor
from tests.support.ami import Ami, logged_in
from tests.support.database import TestDatabase, copied
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.pbx import Pbx, make_pbx
from tests.support.stored import stored_extension

SECRET = "test-only-secret"
ACCOUNTS = """
; Only in tests: it sets custom devices, and reads the list that the link must agree with.
[storm]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32
read =
write = call,reporting
writetimeout = 30000

; Only in tests: it places calls, and does to queues what a supervisor does.
[supervisor]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32
read =
write = agent,call,originate,reporting
writetimeout = 30000

; Without read class `agent` it hears of no queue.
[unheard]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32
read = system,call
write = reporting

; Without read class `system` it never hears FullyBooted.
[deaf]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32
read = call
write = reporting

; Without read class `call` it hears of no state.
[uncalled]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32
read = system,agent
write = reporting

; Without write class `reporting` it may list nothing.
[mute]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32
read = system,call
write =
"""


@pytest.fixture(autouse=True)
def nothing_corrected(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In no test does a later snapshot find a device that the events had left wrong."""
    links: list[Link] = []
    make = Link.__init__

    def made(link: Link, *args: object, **values: object) -> None:
        make(link, *args, **values)  # type: ignore[arg-type]
        links.append(link)

    monkeypatch.setattr(Link, "__init__", made)
    yield
    assert [link.name for link in links if link.facts.corrections] == []


Watch = Callable[..., Link]


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """Starts links; all end with the test, and none may have ended by itself."""

    def start(pbx: Pbx | ExistingPbx, *, port: int = 0, want: tuple[str | Extension, ...] = (), sync: bool = False,
              deadline: float = 2.0, account: Account | None = None, managed: bool = True,
              hint_context: str | None = None) -> Link:  # fmt: skip
        config = pbx.asterisk.config
        made = account or Account("127.0.0.1", port or config.ami_port, "monitor", config.monitor_secret)
        sync_account = Account("127.0.0.1", config.ami_port, "sync", config.sync_secret) if sync else None
        link = Link("main", made, sync=sync_account, deadline=deadline, delays=impatient, managed=managed,
                    hint_context=hint_context)  # fmt: skip
        link.follow([each if isinstance(each, Extension) else stored_extension(each) for each in want], set())
        supervisor.start("the link under test", link.run())
        return link

    async with Supervisor() as supervisor:
        yield start
    assert not supervisor.failed.done()


def impatient() -> Iterator[float]:
    """Delays of a link that tries again at once: tests are shorter, and meet more moments."""
    return itertools.repeat(0.05)


def is_live(link: Link) -> bool:
    return link.states.current


async def live(link: Link, within: float = 30.0) -> None:
    """Wait until a link is live."""
    await eventually(lambda: is_live(link), within, "the link is live")


def told(link: Link) -> dict[str, str]:
    """The live map, in the spelling of the wire."""
    assert link.states.freshness is Freshness.LIVE
    return {device: state.name for device, state in link.states.items()}


async def agrees(link: Link, ami: Ami, within: float = 30.0) -> None:
    """Wait until the link is live and its map is what Asterisk lists then: a call of a killed phone ends later."""

    async def same() -> bool:
        listed = await ami.device_states()
        return is_live(link) and told(link) == listed

    await eventually(same, within, "the map is what Asterisk lists")


def storm(pbx: Pbx) -> AbstractAsyncContextManager[Ami]:
    """A connection that sets custom devices."""
    return logged_in(pbx.asterisk.config.ami_port, "storm", SECRET)


def supervising(pbx: Pbx) -> AbstractAsyncContextManager[Ami]:
    """A connection that places calls, and adds, pauses and removes members of queues."""
    return logged_in(pbx.asterisk.config.ami_port, "supervisor", SECRET)


def with_accounts(folder: Path) -> Path:
    """A copy of the real configuration with the accounts above."""
    templates = folder / "etc"
    shutil.copytree(TEMPLATES / "etc", templates)
    with (templates / "manager.conf").open("a") as file:
        file.write(ACCOUNTS.format(secret=SECRET))
    return templates


@contextlib.contextmanager
def booted(factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs | None = None) -> Iterator[Pbx]:
    """An Asterisk with the accounts above and a database of its own."""
    folder = factory.mktemp("stormy")
    database = copied(template, folder.name.replace("-", "_"))
    made = make_pbx(factory, database, with_accounts(folder), programs)
    with made.asterisk:
        yield made


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """Like `pbx`, with the accounts above."""
    with booted(tmp_path_factory, template, programs) as pbx:
        yield pbx
