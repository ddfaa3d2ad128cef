"""The documented examples of `status` are what the command prints, in front of a real Asterisk with a real phone."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from service.cli.demo import SIP_PASSWORD
from tests.integration.ops.test_status_reasons import gives, has_address
from tests.support.command_line import ROOT, command, environment
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import serving

DOCUMENT = ROOT / "docs/operations.md"
VARYING = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-26T20:15:37Z"),
    (r"127\.0\.0\.1:\d+", "192.0.2.44:49152"),
    (r"baresip \S+( \(\S+\))?", "baresip"),
    (r"\d+\.\d ms", "1.2 ms"),
]
"""What differs from run to run, and what stands for it in the documentation."""


def shown(output: str) -> str:
    """An output as the documentation has it: what varies replaced, columns aligned by one blank."""
    for pattern, text in VARYING:
        output = re.sub(pattern, text, output)
    return "\n".join(" ".join(line.split()) for line in output.splitlines())


def documented(path: Path) -> list[tuple[list[str], str]]:
    """The commands of the section and the outputs below them."""
    section = path.read_text().partition("## Who is registered")[2].partition("\n## ")[0]
    found = re.findall(r"```console\n\$ python -m service (status[^\n]*)\n(.*?)```", section, re.DOTALL)
    return [(line.split(), output) for line, output in found]


def test_there_are_examples() -> None:
    assert len(documented(DOCUMENT)) == 3


MOBILE = """
insert into phones (phone_id, call_server, endpoint, extension, auth_username, secret, profile, kind, label)
values (4, 'main', '12342.k3f9xw', '12342', '12342.k3f9xw', 'secret-of-a-test', 'sip', 'linphone', 'Mobile');
insert into phone_activity values (4, '2026-11-26T20:15:37Z', '192.0.2.17')
"""
"""A further phone of the extension, which is off."""


async def test_the_documented_examples_are_what_the_command_prints(pbx: Pbx) -> None:
    config = pbx.asterisk.config
    await pbx.database.execute(MOBILE)
    async with serving(pbx.settings()) as server:
        phone = pbx.phone("12342", SIP_PASSWORD)
        await asyncio.to_thread(phone.start)
        try:
            await asyncio.to_thread(phone.wait_registered)
            await server.shows("Not in use", within=30)
            await gives(server, "12343", "not-registered")
            await eventually(lambda: server.link.states.read("PJSIP/12342.k3f9xw").live, 60, "the phone is tracked")
            await eventually(lambda: has_address(server, "12342"), what="the contact is read")
            await eventually(lambda: server.link.queues is not None, what="the queues are read")
            values = {"CALL_SERVERS__MAIN__AMI_PORT": str(config.ami_port), "HTTP_PORT": str(server.port)}
            for arguments, output in documented(DOCUMENT):
                done = await asyncio.to_thread(command, environment(pbx.database, **values), *arguments)
                assert (done.returncode, done.stderr) == (0, "")
                told, documents = (text.partition("Registration in the last day")[0] for text in (done.stdout, output))
                assert shown(told.rstrip()) == shown(documents.rstrip()), f"{arguments}:\n{done.stdout}"
                assert ("Registration in the last day" in done.stdout) is (len(arguments) > 1)
        finally:
            await asyncio.to_thread(phone.stop)
