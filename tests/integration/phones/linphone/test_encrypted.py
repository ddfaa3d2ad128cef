"""A real Linphone of a call server with SIP over TLS: it is set up by its code alone, and its calls are encrypted."""

from __future__ import annotations

from tests.support.linphone import NewLinphone, reaches, registers, started
from tests.support.pbx import Pbx
from tests.support.phone_setup import link_server, make_owner, make_phone
from tests.support.secure_pbx import CA, ENCRYPTED, OTHER_CA, Wire

NAMED = {"sip_host": "localhost", "sip_transport": "tls"}
"""Linphone believes a certificate for a name, never for an address."""


async def test_a_linphone_set_up_by_its_code_registers_over_tls_and_encrypts_its_calls(
    secure_pbx: Pbx, new_linphone: NewLinphone
) -> None:
    async with link_server(secure_pbx).running(**NAMED) as server:
        owner = await make_owner(server, "63000")
        made = await make_phone(server, await server.login(owner.name, owner.password), "linphone")
        async with started(new_linphone(made.scanned, ca=CA)) as phone:
            assert await registers(phone)
            wire = Wire(secure_pbx)
            phone.dial("*43")
            await reaches(phone, "CallStreamsRunning")
            assert (wire.media(), wire.transports()) == (ENCRYPTED, {"TLS"})
            phone.hangup()
            await reaches(phone, "CallReleased")


async def test_a_linphone_that_does_not_believe_the_certificate_does_not_register(
    secure_pbx: Pbx, new_linphone: NewLinphone
) -> None:
    async with link_server(secure_pbx).running(**NAMED) as server:
        owner = await make_owner(server, "63001")
        made = await make_phone(server, await server.login(owner.name, owner.password), "linphone")
        async with started(new_linphone(made.scanned, ca=OTHER_CA)) as phone:
            assert not await registers(phone)
