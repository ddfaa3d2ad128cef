"""What Asterisk's registrar keeps of a contact, read; and what is none."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest
from panoramisk.message import Message

from service.ami.contact_tree import ContactList, parse_stored_contact
from service.domain.contacts import Contact

KEPT = {
    "uri": "sip:200@192.0.2.1:5060;transport=udp",
    "via_addr": "192.0.2.1",
    "via_port": "5060",
    "user_agent": 'Phone: "ü" ^3B; 1',
    "expiration_time": "1795322549",
    "endpoint": "200",
}
WHOLE = Contact(
    "sip:200@192.0.2.1:5060;transport=udp",
    address="192.0.2.1:5060",
    user_agent='Phone: "ü" ^3B; 1',
    expires_at=datetime.fromtimestamp(1795322549, UTC),
)


def test_a_contact_is_read_whole() -> None:
    assert parse_stored_contact(json.dumps(KEPT)) == WHOLE
    bare = {"uri": "sip:200@192.0.2.1", "expiration_time": "1795322549", "via_port": "0", "user_agent": ""}
    assert parse_stored_contact(json.dumps(bare)) == Contact("sip:200@192.0.2.1", expires_at=WHOLE.expires_at)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "{",
        "[]",
        "1",
        "null",
        "{}",
        '{"uri":"sip:x"}',
        '{"uri":"sip:x","expiration_time":"soon"}',
        '{"uri":"sip:x","expiration_time":"999999999999"}',
    ],
)
def test_what_is_none_is_not_taken_for_one(value: str) -> None:
    assert parse_stored_contact(value) is None


async def test_the_list_is_gathered_by_aor_and_ends_with_its_last_event() -> None:
    request = ContactList()

    def say(*lines: str) -> bool:
        return bool(request.add_message(Message.from_line("\r\n".join(lines))))

    assert not say("Response: Success", "EventList: start")
    for id_, value in (("200;@1", json.dumps(KEPT)), ("200;@2", "{"), ("201;@3", json.dumps(KEPT))):
        assert not say("Event: DBGetTreeResponse", f"Key: /registrar/contact/{id_}", f"Val: {value}")
    assert say("Event: DBGetTreeComplete", "EventList: Complete")
    await asyncio.wait_for(request.future, 1)
    assert request.by_aor == {"200": {"200;@1": WHOLE, "200;@2": None}, "201": {"201;@3": WHOLE}}
