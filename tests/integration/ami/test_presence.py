"""What people set of themselves comes back as it was put, whatever Asterisk does to it on the wire."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.ami.accounts import Account
from service.ami.connection import NullEvents, connect
from service.domain.custom_presence import Presence, PresenceState
from tests.support.eventually import eventually
from tests.support.links import Watch, live
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, Start

PATH = "/api/v1/presence"
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200)
ESCAPED = st.text("\\'\"?abfnrtv \a\b\f\n\r\t\v,;|%{}$", min_size=1, max_size=20)


def messages() -> list[str]:
    """Some of what a person, or a dialplan, may say."""
    found: list[str] = []

    @example("I'm at lunch")
    @example("a, b; c | d & e")
    @example("back\\slash, \\n and \\")
    @example(" blanks around ")
    @example("é ☃ 😀 مرحبا")
    @example("x" * 200)
    @settings(max_examples=150, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(TEXT | ESCAPED)
    def collect(message: str) -> None:
        found.append(message)

    collect()
    return ["", *found]


async def test_a_message_is_told_as_it_was_put_by_event_and_by_list(pbx: Pbx, watch: Watch) -> None:
    config = pbx.asterisk.config
    put = {str(number): Presence(PresenceState.AWAY, message) for number, message in enumerate(messages())}
    link = watch(pbx)
    await live(link)
    async with connect(
        Account("127.0.0.1", config.ami_port, "presence", config.presence_secret), NullEvents()
    ) as account:
        await asyncio.gather(*(account.set_presence(extension, presence) for extension, presence in put.items()))
    await eventually(lambda: len(link.presences) == len(put))
    assert {extension: link.presences.get(extension) for extension in put} == put
    later = watch(pbx)
    await live(later)
    assert {extension: later.presences.get(extension) for extension in put} == put


async def test_what_a_person_puts_is_what_everybody_gets(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    message = 'I\'m at "lunch"? C:\\n'
    answer = await server.client.put(
        PATH, headers=await server.headers_of(), json={"presence": "away", "message": message}
    )
    assert answer.status == 200, await answer.text()

    async def shown() -> bool:
        answer = await server.client.get(f"{PATH}/12342", headers=ADMIN)
        return bool((await answer.json())["presence"]["message"] == message)

    await eventually(shown)
