"""Hints in the dialplan of a running Asterisk, and what it says of them itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.ami import ANSWER_WITHIN, Ami
from tests.support.pbx import Pbx

CONTEXT = "tested-hints"


@contextlib.contextmanager
def hinted(pbx: Pbx, hints: Mapping[str, str]) -> Iterator[None]:
    """Hints by number in a context of their own; gone at the end."""
    assert pbx.asterisk._home is not None
    conf: Path = pbx.asterisk._home / "etc/extensions.conf"
    before = conf.read_text()
    lines = "".join(f"exten => {number},hint,{devices}\n" for number, devices in hints.items())
    conf.write_text(f"{before}\n[{CONTEXT}]\n{lines}")
    pbx.asterisk.rx("dialplan reload")
    try:
        yield
    finally:
        conf.write_text(before)
        pbx.asterisk.rx("dialplan reload")


async def hint_statuses(ami: Ami) -> dict[str, int]:
    """`ExtensionStateList` as it is: Asterisk's own status of each hint of the context, by number."""
    statuses = {}
    assert (await ami.ask("ExtensionStateList"))["Response"] == "Success"
    async with asyncio.timeout(ANSWER_WITHIN):
        while (message := await ami.read()).get("Event") != "ExtensionStateListComplete":
            if message.get("Context") == CONTEXT:
                statuses[message["Exten"]] = int(message["Status"])
    return statuses
