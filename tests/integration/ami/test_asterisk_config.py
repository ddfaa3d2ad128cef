"""The configuration in asterisk/etc, on a real Asterisk: who may do what, calls, and that it keeps its secrets."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.baresip import Phone
from service.cli.demo import SIP_PASSWORD
from tests.support.pbx import Pbx

SECRETS = [
    "AST_CONFIG(manager.conf,sync,secret)",
    "AST_CONFIG(res_pgsql.conf,general,dbpass)",
    "AST_SORCERY(res_pjsip,auth,12342,password)",
    "REALTIME(ps_auths,id,12342)",
    "REALTIME_FIELD(ps_auths,id,12342,password)",
    "PJSIP_ENDPOINT(12342,auth)",
    "SHELL(cat /proc/self/environ)",
    "FILE(/proc/self/environ)",
    "ENV(PGSERVICEFILE)",
    "EVAL(${AST_SORCERY(res_pjsip,auth,12342,password)})",
]
REFUSED = {
    "monitor": [
        "Command\r\nCommand: pjsip show auth 12342",
        "PJSIPShowEndpoint\r\nEndpoint: 12342",
        "PJSIPShowAuths",
        "GetConfig\r\nFilename: manager.conf",
        "Setvar\r\nVariable: DEVICE_STATE(Custom:x)\r\nValue: BUSY",
        "Originate\r\nChannel: PJSIP/12342\r\nExten: 12343\r\nContext: extensions\r\nPriority: 1",
        "Reload",
        "QueuePause\r\nInterface: PJSIP/12342\r\nPaused: true",
        "QueueAdd\r\nQueue: demo\r\nInterface: PJSIP/1",
        "QueueRemove\r\nQueue: demo\r\nInterface: PJSIP/12342",
    ],
    "sync": ["DeviceStateList", "Getvar\r\nVariable: DEVICE_STATE(PJSIP/12342)", "PJSIPShowAuths", "Originate"],
}


class Ami:
    """A bare AMI client: what this tests is Asterisk, so nothing of the service is in between."""

    def __init__(self, pbx: Pbx, account: str) -> None:
        config = pbx.asterisk.config
        self._socket = socket.create_connection(("127.0.0.1", config.ami_port), timeout=10)
        self._stream = self._socket.makefile("r", newline="\r\n", encoding="utf-8")
        self._stream.readline()
        secret = {"monitor": config.monitor_secret, "presence": config.presence_secret, "sync": config.sync_secret}[
            account
        ]
        assert self.ask(f"Login\r\nUsername: {account}\r\nSecret: {secret}")["Response"] == "Success"

    def ask(self, action: str) -> dict[str, str]:
        self._socket.sendall(f"Action: {action}\r\n\r\n".encode())
        while "Response" not in (message := self.read()):
            pass
        return message

    def read(self) -> dict[str, str]:
        """The next message, whatever it is."""
        lines = iter(lambda: self._stream.readline().rstrip("\r\n"), "")
        return dict(line.partition(": ")[::2] for line in lines)

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


@contextmanager
def logged_in(pbx: Pbx, account: str) -> Iterator[Ami]:
    ami = Ami(pbx, account)
    try:
        yield ami
    finally:
        ami.close()


@contextmanager
def registered(pbx: Pbx, extension: str, password: str) -> Iterator[Phone]:
    with pbx.phone(extension, password) as phone:
        phone.wait_registered()
        yield phone


@pytest.fixture(scope="module")
async def other(pbx: Pbx) -> tuple[str, str]:
    """A second extension, there from the database alone."""
    number, password = "30001", "secret-of-30001"
    statement = "insert into extensions (extension, secret, call_server, profile) values ($1, $2, 'main', 'sip')"
    await pbx.database.execute(statement, number, password)
    return number, password


@pytest.mark.parametrize("function", SECRETS)
def test_monitor_cannot_read_secrets_through_dialplan_functions(pbx: Pbx, function: str) -> None:
    with logged_in(pbx, "monitor") as ami:
        assert ami.ask(f"Getvar\r\nVariable: {function}").get("Value", "") == ""


@pytest.mark.parametrize(("account", "action"), [(name, action) for name in REFUSED for action in REFUSED[name]])
def test_an_account_may_do_only_what_it_is_for(pbx: Pbx, account: str, action: str) -> None:
    with logged_in(pbx, account) as ami:
        answer = ami.ask(action)
        assert (answer["Response"], answer["Message"]) == ("Error", "Permission denied")


def test_monitor_may_ask_for_states_and_qualify(pbx: Pbx) -> None:
    with logged_in(pbx, "monitor") as ami:
        assert ami.ask("Getvar\r\nVariable: DEVICE_STATE(PJSIP/12342)")["Value"] == "UNAVAILABLE"
        assert ami.ask("PJSIPQualify\r\nEndpoint: 12342")["Response"] == "Success"
        assert ami.ask("DeviceStateList")["Response"] == "Success"


def test_sync_tells_an_endpoint_that_is_there_from_one_that_is_not(pbx: Pbx) -> None:
    with logged_in(pbx, "sync") as ami:
        for endpoint, response in (("12342", "Success"), ("nosuch", "Error")):
            assert ami.ask(f"Command\r\nCommand: pjsip reload qualify endpoint {endpoint}")["Response"] == response


def test_ami_is_not_served_to_browsers(pbx: Pbx) -> None:
    for path in ("/rawman?action=ping", "/manager", "/mxml", "/ari/asterisk/info", "/httpstatus"):
        connection = http.client.HTTPConnection("127.0.0.1", pbx.asterisk.config.http_port, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 404, path
        connection.close()


def test_extensions_call_each_other_and_monitor_hears_only_what_it_reads(pbx: Pbx, other: tuple[str, str]) -> None:
    number, password = other
    with (
        logged_in(pbx, "monitor") as ami,
        registered(pbx, "12342", SIP_PASSWORD) as caller,
        registered(pbx, number, password) as callee,
    ):
        ami.ask(f"PJSIPQualify\r\nEndpoint: {number}")  # Asterisk does not track it: it was made while that ran
        caller.dial(number)
        callee.wait_for("CALL_INCOMING")
        callee.answer()
        caller.wait_for("CALL_ESTABLISHED")
        heard: list[dict[str, str]] = []
        for phone in ("12342", number):  # Asterisk says nothing of a state that ends while it looks
            while (f"PJSIP/{phone}", "INUSE") not in states(heard):
                heard.append(ami.read())
        caller.hangup()
        callee.wait_for("CALL_CLOSED")
        while dict(states(heard))["PJSIP/12342"] != "NOT_INUSE":
            heard.append(ami.read())
    assert {event["Event"] for event in heard if "Event" in event} <= {
        "DeviceStateChange",
        "ContactStatus",
        "FullyBooted",
        "QueueMemberStatus",
        "ExtensionStatus",  # of the hints that queues ask for
    }


def states(messages: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(message["Device"], message["State"]) for message in messages if "Device" in message]


def test_the_echo_test_answers(pbx: Pbx) -> None:
    with registered(pbx, "12342", SIP_PASSWORD) as phone:
        phone.dial("*43")
        phone.wait_for("CALL_ESTABLISHED")


@pytest.mark.parametrize("number", ["nosuch", "nosuch&PJSIP%2f12342"])
def test_a_number_that_is_nobody_s_rings_nobody(pbx: Pbx, number: str) -> None:
    with registered(pbx, "12342", SIP_PASSWORD) as phone:
        phone.dial(number)
        phone.wait_for("CALL_CLOSED")
        with pytest.raises(Exception, match="no CALL_INCOMING"):
            phone.wait_for("CALL_INCOMING", timeout_s=0.2)


def test_its_command_line_asks_for_nothing_that_the_views_lack(pbx: Pbx) -> None:
    log = pbx.asterisk.folder / "asterisk.log"
    before = len(log.read_text())
    kinds = ("contacts", "aors", "endpoints", "auths", "channels", "identifies", "registrations")
    for command in ("show", "list"):
        for kind in kinds:
            pbx.asterisk.rx(f"pjsip {command} {kind}")
            pbx.asterisk.rx(f"pjsip {command} {kind} like 1")
    for what in ("endpoint 12342", "aor 12342", "auth 12342", "contact 12342"):
        pbx.asterisk.rx(f"pjsip show {what}")
    assert [line for line in log.read_text()[before:].splitlines() if "ERROR" in line] == []


def test_its_log_and_its_files_keep_the_secrets(pbx: Pbx) -> None:
    config = pbx.asterisk.config
    log = (pbx.asterisk.folder / "asterisk.log").read_text()
    for secret in (
        config.monitor_secret,
        config.presence_secret,
        config.sync_secret,
        config.database.password,
        SIP_PASSWORD,
    ):
        assert secret not in log
        assert secret not in repr(config)
