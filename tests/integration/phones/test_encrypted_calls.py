"""SIP over TLS with SRTP: what a phone says and hears is encrypted, and a phone that does not encrypt is refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.baresip import Phone, PhoneError
from service.db.migrate import migrate
from tests.support.database import ASTERISK
from tests.support.pbx import Pbx
from tests.support.secure_pbx import CA, ENCRYPTED, OTHER_CA, SECURE, Wire
from tests.support.several_phones import SECRET, make_extension, ready

NUMBERS = ("64001", "64002")


@pytest.fixture
async def phones(secure_pbx: Pbx) -> AsyncIterator[tuple[Phone, Phone]]:
    await with_extensions(secure_pbx)
    first, second = (secure_pbx.phone(number, SECRET, ca=CA) for number in NUMBERS)
    async with ready(secure_pbx, [first, second]):
        yield first, second


async def with_extensions(pbx: Pbx) -> None:
    await pbx.database.execute("delete from extensions where extension = any($1)", list(NUMBERS))
    for number in NUMBERS:
        await make_extension(pbx, number)


async def test_what_a_phone_says_and_hears_is_encrypted_on_both_sides_of_a_call(
    secure_pbx: Pbx, phones: tuple[Phone, Phone]
) -> None:
    caller, callee = phones
    wire = Wire(secure_pbx)
    caller.dial(callee.extension)
    await asyncio.to_thread(callee.wait_for, "CALL_INCOMING")
    callee.answer()
    await asyncio.to_thread(caller.wait_for, "CALL_ESTABLISHED")
    assert wire.media() == ENCRYPTED
    assert wire.transports() == {"TLS"}


async def refusal(pbx: Pbx, phone: Phone) -> tuple[str, str]:
    """How an echo test ends."""
    await with_extensions(pbx)
    async with ready(pbx, [phone]):
        phone.dial("*43")
        closed = await asyncio.to_thread(phone.wait_for, "CALL_CLOSED", "CALL_ESTABLISHED")
    return closed.type, closed.detail


async def test_a_call_without_srtp_is_refused(secure_pbx: Pbx) -> None:
    plain = secure_pbx.phone(NUMBERS[0], SECRET, ca=CA, srtp=False)
    assert await refusal(secure_pbx, plain) == ("CALL_CLOSED", "488 Not Acceptable Here")


async def test_sip_without_tls_finds_no_port(secure_pbx: Pbx) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.connect(("127.0.0.1", secure_pbx.asterisk.config.sip_port))
        plain.settimeout(5)
        plain.send(b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n\r\n")
        with pytest.raises(ConnectionRefusedError):
            plain.recv(1)


@pytest.mark.parametrize(("ca", "registers"), [(CA, True), (OTHER_CA, False)], ids=["own", "other"])
async def test_a_phone_registers_only_where_it_believes_the_certificate(
    secure_pbx: Pbx, ca: Path, registers: bool
) -> None:
    await with_extensions(secure_pbx)
    wire = Wire(secure_pbx)
    with secure_pbx.phone(NUMBERS[0], SECRET, ca=ca) as phone:
        try:
            await asyncio.to_thread(phone.wait_registered, 5)
        except PhoneError:
            assert not registers
        else:
            assert registers
        assert ("REGISTER" in wire.text) is registers


async def test_migrate_tells_asterisk_whether_a_call_server_encrypts(secure_pbx: Pbx) -> None:
    """Phones of browsers have DTLS-SRTP whatever the transport of SIP."""
    await with_extensions(secure_pbx)
    await secure_pbx.database.execute("update phones set profile = 'webrtc' where endpoint = $1", NUMBERS[1])
    for transport, wanted in (("udp", None), ("tcp", None), ("tls", "sdes")):
        await migrate(secure_pbx.settings(**{**SECURE, "sip_transport": transport}))
        asterisk = await secure_pbx.database.connect(ASTERISK)
        rows = await asterisk.fetch("select id, media_encryption from ps_endpoints")
        await asterisk.close()
        told = {row["id"]: row["media_encryption"] for row in rows}
        assert (told[NUMBERS[0]], told[NUMBERS[1]]) == (wanted, None)
