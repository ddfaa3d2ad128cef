"""Configurations that hold the SIP password in plain: equal to the golden files, and well-formed for any name.

None was run against the app: see golden/README.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from service.domain.models import WebSocketAddress
from service.domain.provisioning.account import SipAccount, plain_name
from service.domain.provisioning.browser_phone import browser_phone_json
from service.domain.provisioning.gswave import LONGEST_NAME, gswave_xml
from service.domain.provisioning.typed_account import Field, typed_account

GOLDEN = Path(__file__).parent / "golden"
ACCOUNT = SipAccount(
    "12342.k3f9", "12342.k3f9", "kX7-not-a-secret_9Q", "Ada Lovelace", "pbx.example.com", 5060, "udp", "asterisk"
)
WEBSOCKET = WebSocketAddress("main", "pbx.example.com", 8089, "wss://pbx.example.com:8089/ws")
NAMES = (
    'Ada "Countess" Lovelace',
    "Ada <sip:thief@example.com>",
    "R&D ]]> <!-- &amp;",
    "Ada\r\nAuthPass: x",
    "x" * 200,
    "\U0001f469\u200d\U0001f4bb" * 40,
    "\u202e\u05e2\u05d3\u05d4 \u0644\u0627\u0641",
    "Zoë Müller",
    "\x00\x1b\ud800",
    "",
)
named = pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))


def test_gs_waves_document_is_the_golden_one() -> None:
    assert gswave_xml(ACCOUNT) == (GOLDEN / "gswave.xml").read_bytes().rstrip(b"\n")


def test_browser_phones_options_are_the_golden_ones() -> None:
    assert browser_phone_json(ACCOUNT, WEBSOCKET) == (GOLDEN / "browser-phone.json").read_text().rstrip("\n")


@pytest.mark.parametrize(
    ("file", "balance_url"),
    [("desk.txt", None), ("groundwire.txt", "https://phone.example.com/p/d/example/balance.xml")],
)
def test_the_account_to_type_is_the_golden_one(file: str, balance_url: str | None) -> None:
    lines = [f"{field}: {text}\n" for field, text in typed_account(ACCOUNT, balance_url).items()]
    assert "".join(lines) == (GOLDEN / file).read_text()


def test_the_account_to_type_names_srtp_for_tls_alone() -> None:
    told = {transport: typed_account(replace(ACCOUNT, transport=transport)) for transport in ("udp", "tcp", "tls")}
    assert {transport: fields.get(Field.MEDIA_ENCRYPTION) for transport, fields in told.items()} == {
        "udp": None,
        "tcp": None,
        "tls": "SRTP (SDES)",
    }


@named
def test_gs_waves_document_is_ascii_and_keeps_any_name(name: str) -> None:
    document = gswave_xml(replace(ACCOUNT, display_name=name, secret="<&>\"'x"))
    found = ElementTree.fromstring(document.decode("ascii"))  # noqa: S314 - our own document
    account = found.find("Account")
    assert account is not None
    values = {element.tag: element.text or "" for element in account}
    assert values["AuthPass"] == "<&>\"'x"
    assert values["DisplayName"] == values["AccountName"] == (plain_name(name, LONGEST_NAME) or "12342.k3f9")
    assert len(values) == len(list(account)) == 11
    assert len(document) < 1_300, "a code with more is hard to scan"


@named
def test_browser_phones_options_keep_any_name(name: str) -> None:
    found = json.loads(browser_phone_json(replace(ACCOUNT, display_name=name), WEBSOCKET))
    assert found["profileName"] == (plain_name(name) or "12342.k3f9")
    assert found["SipPassword"] == ACCOUNT.secret


@named
def test_the_account_to_type_has_one_line_for_any_name(name: str) -> None:
    fields = typed_account(replace(ACCOUNT, display_name=name))
    assert all((text and text.isprintable()) or "\u200d" in text for text in fields.values())


@pytest.mark.parametrize(("host", "authority"), [("2001:db8::5", "[2001:db8::5]:5061"), ("[::1]", "[::1]:5061")])
def test_an_ipv6_address_has_brackets(host: str, authority: str) -> None:
    account = replace(ACCOUNT, host=host, port=5061, transport="tls")
    assert typed_account(account)["server"] == authority  # type: ignore[index]  # an enum of strings
    assert f"<RegisterServer>{authority}</RegisterServer>".encode() in gswave_xml(account)


def test_browser_phones_path_keeps_its_query() -> None:
    options = browser_phone_json(ACCOUNT, replace(WEBSOCKET, websocket_url="wss://pbx.example.com/ws?a=1"))
    assert json.loads(options)["ServerPath"] == "/ws?a=1"
