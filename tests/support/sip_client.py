"""A SIP client that sends one request with a password of the test's choice, over UDP, and reports Asterisk's answer."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets

ANSWER_WITHIN = 10.0
NOWHERE = "9999999999"
"""A number that no dialplan of the tests knows: an INVITE that is let in is answered with 404, and no call begins."""


class SipClient(asyncio.DatagramProtocol):
    """One endpoint's client; its contact is the address of its socket."""

    def __init__(self, endpoint: str, server: tuple[str, int], username: str) -> None:
        self._endpoint = endpoint
        self._username = username
        self._server = server
        self._answered: asyncio.Queue[str] = asyncio.Queue()
        self.challenges = 0
        """Number of challenges in the last 401."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._answered.put_nowait(data.decode())

    async def ask(self, method: str, password: str, *, challenge: int = 0) -> int:
        """Send a request, answer its challenge, and return the status. `challenge`: which one, if there are several."""
        to = self._endpoint if method == "REGISTER" else NOWHERE
        uri = "sip:127.0.0.1" if method == "REGISTER" else f"sip:{to}@127.0.0.1"
        call = secrets.token_hex(8)
        first = await self._send(method, uri, to, call, 1, "")
        if not first.startswith("SIP/2.0 401"):
            return _status(first)
        challenges = re.findall(r"^WWW-Authenticate: Digest (.*?)\r$", first, re.MULTILINE | re.IGNORECASE)
        self.challenges = len(challenges)
        found = dict(re.findall(r'(\w+)="([^"]*)"', challenges[challenge]))
        return _status(await self._send(method, uri, to, call, 2, self._authorization(method, uri, password, found)))

    async def _send(self, method: str, uri: str, to: str, call: str, number: int, more: str) -> str:
        host, port = self._transport.get_extra_info("sockname")
        branch, user = f"z9hG4bK{secrets.token_hex(8)}", f"sip:{self._endpoint}@127.0.0.1"
        common = (
            f"Max-Forwards: 70\r\nFrom: <{user}>;tag={call}\r\nTo: <sip:{to}@127.0.0.1>\r\nCall-ID: {call}\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport\r\n"
        )
        contact = f"Contact: <sip:{self._endpoint}@{host}:{port}>\r\nExpires: 120\r\n"
        request = (
            f"{method} {uri} SIP/2.0\r\n{common}CSeq: {number} {method}\r\n{contact}{more}Content-Length: 0\r\n\r\n"
        )
        self._transport.sendto(request.encode(), self._server)
        async with asyncio.timeout(ANSWER_WITHIN):
            while True:
                answer = await self._answered.get()
                if f"Call-ID: {call}" in answer and f"CSeq: {number} {method}" in answer and _status(answer) >= 200:
                    break
        if method == "INVITE":
            ack = f"ACK {uri} SIP/2.0\r\n{common}CSeq: {number} ACK\r\nContent-Length: 0\r\n\r\n"
            self._transport.sendto(ack.encode(), self._server)
        return answer

    def _authorization(self, method: str, uri: str, password: str, challenge: dict[str, str]) -> str:
        """RFC 2617, with `qop`."""
        realm, nonce, client = challenge["realm"], challenge["nonce"], secrets.token_hex(4)
        ours = _md5(f"{self._username}:{realm}:{password}")
        response = _md5(f"{ours}:{nonce}:00000001:{client}:auth:{_md5(f'{method}:{uri}')}")
        fields = {"username": self._username, "realm": realm, "nonce": nonce, "uri": uri, "response": response}
        fields |= {"cnonce": client, "opaque": challenge.get("opaque", "")}
        quoted = ", ".join(f'{name}="{value}"' for name, value in fields.items())
        return f"Authorization: Digest {quoted}, qop=auth, nc=00000001, algorithm=MD5\r\n"

    def close(self) -> None:
        self._transport.close()


async def sip_client(endpoint: str, sip_port: int, username: str | None = None) -> SipClient:
    """Open a client; the caller closes it."""
    _, client = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: SipClient(endpoint, ("127.0.0.1", sip_port), username or endpoint), local_addr=("127.0.0.1", 0)
    )
    return client


async def ask(sip_port: int, endpoint: str, method: str, password: str, *, username: str | None = None) -> int:
    """Send one request from a client of its own."""
    client = await sip_client(endpoint, sip_port, username)
    try:
        return await client.ask(method, password)
    finally:
        client.close()


def _status(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
