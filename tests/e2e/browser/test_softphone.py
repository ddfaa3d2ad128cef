"""The two softphones that docs/api.md shows, just as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest

from local import node
from local.baresip import Phone
from tests.e2e.browser.conftest import Site
from tests.e2e.program import Program
from tests.e2e.run import IN_TIME_S, Run, server
from tests.support.browser import Browser
from tests.support.documents import BASE, blocks
from tests.support.eventually import wait_until

DESK, PASSWORD = "7801", "Zq9x-k3y-of-7801"
EXPECTED = r"state: |\^C$|Executing .* took [\d.]+ seconds$"
"""The lines of the softphone, and asyncio's of a callback that took long: the machine may be busy."""
BUNDLE = ["--bundle", "--format=esm", "--outfile=bundle.js"]


def shown(run: Run, language: str) -> str:
    """The document's only program in this language."""
    (program,) = blocks("docs/api.md", language)
    assert BASE in program
    return program.replace(BASE, run.base)


def bundled(program: str, modules: Path, folder: Path) -> str:
    """With what it imports, as one script."""
    (folder / "softphone.js").write_text(program)
    node.run(modules / "esbuild/bin/esbuild", "softphone.js", *BUNDLE, folder=folder, NODE_PATH=str(modules))
    return (folder / "bundle.js").read_text()


async def test_the_one_in_javascript_registers_calls_and_hears(
    run: Run, chromium: Browser, site: Site, modules: Path, tmp_path: Path
) -> None:
    run.shows("Unavailable")
    url = site.runs("softphone", bundled(shown(run, "js"), modules, tmp_path))
    async with chromium.page(url) as page:
        # What the stream tells and what the phone tells come by two ways: each is in order, both together need not be.
        seen = await page.says("state: Unavailable", within=30)
        seen = await page.says("state: Not in use", after=seen)
        seen = await page.says("state: In use", after=seen)
        await page.says("state: Not in use", after=seen)
        seen = await page.says("registered")
        seen = await page.says("packets with sound", after=seen)
        await page.says("the call is over", after=seen)
        assert run.line() == ("Not in use", True)
        assert [line for line in page.console if not line.startswith("log: ")] == []
    run.shows("Unavailable", within_s=IN_TIME_S)


@pytest.fixture
def desk_phone(run: Run) -> Iterator[Phone]:
    """A phone with an extension of its own, that speaks only G.711 and sends back what it hears."""
    run.cli("extension", "create", DESK, "--profile", "sip", "--password-stdin", given=f"{PASSWORD}\n")
    with run.phone(DESK, PASSWORD) as phone:
        phone.wait_registered()
        yield phone
    run.cli("extension", "delete", DESK)


async def test_a_browser_and_a_desk_phone_hear_each_other(
    run: Run, chromium: Browser, site: Site, modules: Path, desk_phone: Phone, tmp_path: Path
) -> None:
    program = shown(run, "js").replace("sip:*43@", f"sip:{DESK}@")
    url = site.runs("call", bundled(program, modules, tmp_path))
    async with chromium.page(url) as page:
        await asyncio.to_thread(desk_phone.wait_for, "CALL_INCOMING")
        desk_phone.answer()
        seen = await page.says("packets with sound")
        await page.says("the call is over", after=seen)
    run.shows("Unavailable", within_s=IN_TIME_S)


def breaks(program: Program, run: Run) -> Iterator[str]:
    """What happens to a softphone: its service is killed, its token ends, its Asterisk is killed."""
    os.kill(server(program, "service"), SIGKILL)
    run.shows("Not in use")
    yield "the service was killed"
    run.cli("token", "revoke", "--user", "dnhai")
    wait_until(lambda: "dnhai" in run.cli("token", "list"), 30, "it has logged in again")
    yield "the token ended"
    os.kill(server(program, "asterisk"), SIGKILL)
    yield "Asterisk was killed"


async def test_the_one_in_javascript_survives_an_outage_a_restart_and_the_end_of_its_token(
    run: Run, program: Program, chromium: Browser, site: Site, modules: Path, tmp_path: Path
) -> None:
    run.shows("Unavailable")
    url = site.runs("surviving", bundled(shown(run, "js"), modules, tmp_path))
    async with chromium.page(url) as page:
        seen = await page.says("the call is over")
        trouble = breaks(program, run)
        for _ in range(2):  # each ends the stream, and a new one begins with how things are
            await asyncio.to_thread(next, trouble)
            seen = await page.says("state: Not in use", within=30, after=seen)
        await asyncio.to_thread(next, trouble)
        seen = await page.says("state: Unknown", within=30, after=seen)
        seen = await page.says("registered", within=60, after=seen)
        await page.says("state: Not in use", within=30, after=seen)
        assert [line for line in page.console if line.startswith("uncaught")] == []
    run.shows("Unavailable", within_s=IN_TIME_S)


def test_the_one_in_python_survives_an_outage_a_restart_and_the_end_of_its_token(
    run: Run, program: Program, tmp_path: Path
) -> None:
    run.shows("Unavailable")
    (tmp_path / "softphone.py").write_text(shown(run, "python"))
    with run.program(sys.executable, "-X", "dev", "-W", "error", str(tmp_path / "softphone.py")) as softphone:
        softphone.prints("^state: Not in use$", 30)
        trouble = breaks(program, run)
        seen = len(softphone.printed)
        next(trouble)
        softphone.prints("^state: Not in use$", 60, after=seen)  # another process begins with how things are
        next(trouble)
        seen = len(softphone.printed)
        next(trouble)
        softphone.prints("^state: Unknown$", 30, after=seen)
        softphone.prints("^state: Not in use$", 60, after=seen)
        softphone.ctrl_c()
        assert softphone.ends() == 0
        unexpected = [line for line in softphone.printed.splitlines() if not re.match(EXPECTED, line)]
        assert not unexpected
    run.shows("Unavailable", within_s=IN_TIME_S)
