"""Linphone's XML: valid whatever the name of the person, and with HA1 in place of the SIP password."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from service.domain.provisioning.account import SipAccount
from service.domain.provisioning.linphone import NAMESPACE, linphone_xml

ACCOUNT = SipAccount("12342.k3f9", "12342.k3f9", "a secret", "Alice", "pbx.example.com", 5060, "udp", "asterisk")
URL = "https://phone.example.com/p/d/token/linphone.xml"


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def entries(document: bytes) -> dict[str, str]:
    """What the document says, by `section/key`."""
    root = ET.fromstring(document)  # noqa: S314 - made above
    tag = f"{{{NAMESPACE}}}"
    assert root.tag == f"{tag}config"
    found = {}
    for section in root.iter(f"{tag}section"):
        for entry in section.iter(f"{tag}entry"):
            assert entry.attrib == {"name": entry.get("name"), "overwrite": "true"}
            found[f"{section.get('name')}/{entry.get('name')}"] = entry.text or ""
    return found


def test_it_names_the_account_and_the_next_url() -> None:
    assert entries(linphone_xml(ACCOUNT, URL)) == {
        "misc/config-uri": URL,
        "sip/default_proxy": "0",
        "sip/media_encryption": "none",
        "sip/media_encryption_mandatory": "0",
        "proxy_0/reg_proxy": "<sip:pbx.example.com:5060;transport=udp>",
        "proxy_0/reg_identity": '"Alice" <sip:12342.k3f9@pbx.example.com>',
        "proxy_0/reg_expires": "300",
        "proxy_0/reg_sendregister": "1",
        "auth_info_0/username": "12342.k3f9",
        "auth_info_0/domain": "pbx.example.com",
        "auth_info_0/realm": "asterisk",
        "auth_info_0/ha1": md5("12342.k3f9:asterisk:a secret"),
        "auth_info_0/algorithm": "MD5",
    }


def test_over_tls_it_demands_srtp() -> None:
    found = entries(linphone_xml(replace(ACCOUNT, transport="tls"), URL))
    assert (found["sip/media_encryption"], found["sip/media_encryption_mandatory"]) == ("srtp", "1")


def test_it_does_not_hold_the_sip_password() -> None:
    assert b"a secret" not in linphone_xml(ACCOUNT, URL)


def test_ha1_is_made_with_the_username_of_authentication() -> None:
    found = entries(linphone_xml(replace(ACCOUNT, auth_username="alice", realm="pbx"), URL))
    assert (found["auth_info_0/username"], found["auth_info_0/userid"]) == ("12342.k3f9", "alice")
    assert found["auth_info_0/ha1"] == md5("alice:pbx:a secret")


@pytest.mark.parametrize("host", ["2001:db8::1", "[2001:db8::1]"])
def test_an_ipv6_address_has_brackets(host: str) -> None:
    found = entries(linphone_xml(replace(ACCOUNT, host=host, transport="tls", port=5061), URL))
    assert found["proxy_0/reg_proxy"] == "<sip:[2001:db8::1]:5061;transport=tls>"
    assert found["proxy_0/reg_identity"].endswith("@[2001:db8::1]>")
    assert found["auth_info_0/domain"] == "[2001:db8::1]"


NAMES = {
    'Alice "Al" <a@b> & Co': 'Alice "Al" <a@b> & Co',
    "back\\slash\\": "back\\slash\\",
    "two\r\nlines\tand\x00null\x0b": "two lines andnull",
    "]]>&amp;<entry/>": "]]>&amp;<entry/>",
    "\u202eevil\u202c \u05d3\u05d5\u05d3 \u2028next": "evil \u05d3\u05d5\u05d3 next",
    "x" * 200: "x" * 80,
    "\ud800lone\ufffe\uffff": "lone",
    "\U0001f469\u200d\U0001f4bb; a=b, c^d": "\U0001f469\u200d\U0001f4bb; a=b, c^d",
    "": "12342.k3f9",
    "\r\n": "12342.k3f9",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_one_quoted_string_of_sip_in_valid_xml(name: str) -> None:
    identity = entries(linphone_xml(replace(ACCOUNT, display_name=name), URL))["proxy_0/reg_identity"]
    quoted = re.fullmatch(r'"((?:[^"\\\x00-\x1f\x7f]|\\["\\])*)" <sip:12342\.k3f9@pbx\.example\.com>', identity)
    assert quoted is not None, ascii(identity)
    assert re.sub(r"\\(.)", r"\1", quoted[1]) == NAMES[name]
