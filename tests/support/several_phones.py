"""Extensions with several phones on a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from local.baresip import Phone
from tests.support.pbx import Pbx

SECRET = "a secret of each phone"
PHONE = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('main', $1, $2, $1, $3, 'sip')
"""


async def make_extension(pbx: Pbx, number: str, *further: str, user_id: int | None = None) -> None:
    """An extension with an own phone and further ones, which Asterisk tracks as if it had booted with them."""
    await pbx.database.execute(
        "insert into extensions (extension, secret, call_server, profile, user_id) values ($1, $2, 'main', 'sip', $3)",
        number,
        SECRET,
        user_id,
    )
    await make_phones(pbx, number, *further)


async def make_phones(pbx: Pbx, number: str, *endpoints: str) -> None:
    """Further phones of an extension."""
    for endpoint in endpoints:
        await pbx.database.execute(PHONE, endpoint, number, SECRET)


@contextlib.asynccontextmanager
async def ready(pbx: Pbx, phones: Iterable[Phone]) -> AsyncIterator[None]:
    """Phones that are registered, and tracked by Asterisk, until the block ends."""
    with contextlib.ExitStack() as stack:
        for phone in phones:
            stack.enter_context(phone)
            await asyncio.to_thread(phone.wait_registered)
            await asyncio.to_thread(pbx.asterisk.rx, f"pjsip reload qualify endpoint {phone.extension}")
        yield
