"""A SIP phone that does what baresip cannot be made to do: leave OPTIONS unanswered, register the same contact again,
show why a call that rang has ended.

Some browser libraries never answer OPTIONS. It speaks the little SIP that this takes, over UDP.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator

ANSWER_WITHIN = 10.0


class OddPhone(asyncio.DatagramProtocol):
    """One extension's phone, made by `odd_phone`. Whether it answers OPTIONS may change at any time."""

    def __init__(self, extension: str, password: str, server: tuple[str, int], *, answers: bool) -> None:
        self.answers = answers
        self._extension = extension
        self._password = password
        self._server = server
        self._call_id = secrets.token_hex(8)
        self._sequence = 0
        self._answered: asyncio.Queue[str] = asyncio.Queue()
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        """Each CANCEL of a call that rang here."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode()
        if message.startswith("SIP/2.0"):
            self._answered.put_nowait(message)
        elif message.startswith("OPTIONS") and self.answers:
            self._answer(message, "200 OK", addr)
        elif message.startswith("INVITE"):
            self._invite = message
            self._answer(message, "180 Ringing", addr)
        elif message.startswith("CANCEL"):
            self._answer(message, "200 OK", addr)
            self._answer(self._invite, "487 Request Terminated", addr)
            self.cancelled.put_nowait(message)

    def _answer(self, request: str, status: str, addr: tuple[str, int]) -> None:
        kept = [line for line in request.split("\r\n") if re.match("(Via|From|To|Call-ID|CSeq):", line)]
        if not request.startswith("OPTIONS"):
            kept = [f"{line};tag={self._call_id}" if line.startswith("To:") else line for line in kept]
        answer = [f"SIP/2.0 {status}", *kept, "Content-Length: 0", "", ""]
        self._transport.sendto("\r\n".join(answer).encode(), addr)

    async def register(self, expires: int = 120) -> None:
        """Register, or end the registration with `expires` 0. Fails when Asterisk refuses."""
        challenge = await self._ask(expires, "")
        assert challenge.startswith("SIP/2.0 401"), challenge
        found = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        answer = await self._ask(expires, f"Authorization: {self._authorization(found)}\r\n")
        assert answer.startswith("SIP/2.0 200"), answer

    async def _ask(self, expires: int, more: str) -> str:
        self._sequence += 1
        host, port = self._transport.get_extra_info("sockname")
        user = f"sip:{self._extension}@127.0.0.1"
        self._transport.sendto(
            (
                f"REGISTER sip:127.0.0.1 SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <{user}>;tag={self._call_id}\r\nTo: <{user}>\r\n"
                f"Call-ID: {self._call_id}\r\nCSeq: {self._sequence} REGISTER\r\n"
                f"Contact: <sip:{self._extension}@{host}:{port}>\r\nExpires: {expires}\r\n"
                f"User-Agent: odd\r\n{more}Content-Length: 0\r\n\r\n"
            ).encode(),
            self._server,
        )
        async with asyncio.timeout(ANSWER_WITHIN):
            while f"CSeq: {self._sequence} REGISTER" not in (message := await self._answered.get()):
                pass
        return message

    def _authorization(self, challenge: dict[str, str]) -> str:
        """RFC 2617, with `qop`."""
        realm, nonce, uri, client = challenge["realm"], challenge["nonce"], "sip:127.0.0.1", secrets.token_hex(4)
        ours = _md5(f"{self._extension}:{realm}:{self._password}")
        response = _md5(f"{ours}:{nonce}:00000001:{client}:auth:{_md5(f'REGISTER:{uri}')}")
        fields = {"username": self._extension, "realm": realm, "nonce": nonce, "uri": uri, "response": response}
        fields |= {"cnonce": client, "opaque": challenge.get("opaque", "")}
        quoted = ", ".join(f'{name}="{value}"' for name, value in fields.items())
        return f"Digest {quoted}, qop=auth, nc=00000001, algorithm=MD5"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@contextlib.asynccontextmanager
async def odd_phone(extension: str, password: str, sip_port: int, *, answers: bool) -> AsyncIterator[OddPhone]:
    """A phone until the block ends; its registration stays, as if it had lost its power."""
    loop = asyncio.get_running_loop()
    transport, phone = await loop.create_datagram_endpoint(
        lambda: OddPhone(extension, password, ("127.0.0.1", sip_port), answers=answers),
        local_addr=("127.0.0.1", 0),
    )
    try:
        yield phone
    finally:
        transport.close()
