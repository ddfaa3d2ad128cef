"""A name goes into XML, JSON and SIP headers: it is one line, and bounded."""

from __future__ import annotations

import pytest

from service.domain.provisioning.account import SipAccount, plain_name


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ('Ada "the <first> & only" Lovelace', 'Ada "the <first> & only" Lovelace'),
        ("Ada\r\nContact: <sip:thief@example.com>", "Ada Contact: <sip:thief@example.com>"),
        ("  Ada\t\u2028Lovelace\x00\x1b[31m ", "Ada Lovelace[31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800half\uffff", "half"),
        ("\u05e2\u05d3\u05d4 \u0644\u0627\u0641", "\u05e2\u05d3\u05d4 \u0644\u0627\u0641"),
        ("\U0001f469\u200d\U0001f4bb Zoë", "\U0001f469\u200d\U0001f4bb Zoë"),
        ("x" * 200, "x" * 80),
        ("\r\n", ""),
    ],
)
def test_a_name_is_one_line_that_xml_allows(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_an_account_does_not_print_its_secret() -> None:
    account = SipAccount("12342.k3f9", "12342.k3f9", "hunter2", "Ada", "pbx.example.com", 5060, "udp", "asterisk")
    assert "hunter2" not in repr(account)
