"""What a thief of an AMI account's secret gets, beyond what `test_asterisk_config.py` asks of `monitor`."""

from __future__ import annotations

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.integration.ami.test_asterisk_config import SECRETS, logged_in
from tests.support.pbx import Pbx

READING = [
    "PJSIPShowEndpoint\r\nEndpoint: 12342",
    "PJSIPShowAuths",
    "GetConfig\r\nFilename: manager.conf",
    "GetConfigJSON\r\nFilename: manager.conf",
    "Command\r\nCommand: pjsip show auth 12342",
    "DBGet\r\nFamily: registrar\r\nKey: contact",
    "Reload",
    "ModuleLoad\r\nModule: func_shell.so\r\nLoadType: load",
    "UpdateConfig\r\nSrcFilename: manager.conf\r\nDstFilename: manager.conf",
]


@pytest.mark.parametrize("action", READING)
def test_presence_reads_no_secret_and_no_file_and_changes_no_configuration(pbx: Pbx, action: str) -> None:
    with logged_in(pbx, "presence") as ami:
        answer = ami.ask(action)
        assert (answer["Response"], answer["Message"]) == ("Error", "Permission denied")


@pytest.mark.parametrize("function", SECRETS)
def test_presence_makes_monitor_find_no_secret_in_a_variable(pbx: Pbx, function: str) -> None:
    """One may set variables, the other may read them: together they find what they wrote, not what it would give."""
    written = f"${{{function}}}"
    with logged_in(pbx, "presence") as ami:
        assert ami.ask(f"Setvar\r\nVariable: found\r\nValue: {written}")["Response"] == "Success"
    with logged_in(pbx, "monitor") as ami:
        assert ami.ask("Getvar\r\nVariable: found").get("Value", "") in ("", written)


def test_presence_redirects_and_ends_calls_and_originates_none(pbx: Pbx) -> None:
    """The page says so: the class `call` is for more than presence. There is no such channel, but it may ask."""
    target = "Exten: 12343\r\nContext: extensions\r\nPriority: 1"
    with logged_in(pbx, "presence") as ami:
        for action in (f"Redirect\r\n{target}", "Hangup"):
            message = ami.ask(f"{action}\r\nChannel: PJSIP/12342-00000001")["Message"]
            assert "hannel" in message, message
        assert ami.ask(f"Originate\r\nChannel: PJSIP/12342\r\n{target}")["Message"] == "Permission denied"


def test_sync_reads_every_secret(pbx: Pbx) -> None:
    """The page says so: the class `command` is a shell."""
    with logged_in(pbx, "sync") as ami:
        ami._socket.sendall(b"Action: Command\r\nCommand: pjsip show auth 12342\r\n\r\n")
        lines = list(iter(lambda: ami._stream.readline().rstrip("\r\n"), ""))
        assert any(SIP_PASSWORD in line for line in lines)
