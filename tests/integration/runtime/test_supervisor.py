"""A part of the service that ends by itself ends the process: a silently dead feeder would be a lie that lasts."""

from __future__ import annotations

import asyncio
import sys

import pytest

from local import ports
from tests.support.command_line import ROOT, environment, process_environment
from tests.support.database import TestDatabase

PARTS = {
    "a link": "from service.ami.link import Link as Part",
    "the listener": "from service.db.change_listener import ChangeListener as Part",
    "the presence composer": "from service.runtime.presence_composer import PresenceComposer as Part",
    "the maker of passwords": "from service.runtime.secret_filler import SecretFiller as Part",
    "the activity": "from service.db.activity import Activity as Part",
}
BREAK = """
import asyncio, sys
{part}
whole = Part.run
async def broken(self):
    try:
        async with asyncio.timeout(1):
            await whole(self)
    except TimeoutError:
        raise ValueError("broken on purpose") from None
Part.run = broken
from service.cli import main
sys.exit(main(["serve"]))
"""


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_that_ends_by_itself_ends_the_process_with_an_error(database: TestDatabase, part: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        BREAK.format(part=PARTS[part]),
        cwd=ROOT,
        env=process_environment(environment(database, HTTP_PORT=str(ports.free_port()))),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            _, told = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 1
    assert b"task_ended_unexpectedly" in told
    assert b"broken on purpose" in told
