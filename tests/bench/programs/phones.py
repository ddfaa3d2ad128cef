"""Phones that only register and answer whether they are there; one socket for all of them.

    SIP_PASSWORD=... python -m tests.bench.programs.phones PORT FIRST COUNT

They are the extensions from FIRST on. Tells when all are registered, and goes on until it is ended.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from hashlib import md5
from typing import cast
from uuid import uuid4

from tests.bench.rig.processes import emit

AT_ONCE, PAUSE = 20, 0.1
AGAIN = 200.0
"""Seconds from one registration to the next; it lasts 300."""
_KEPT = re.compile(r"^(?:Via|From|To|Call-ID|CSeq):.*$", re.MULTILINE)
_CHALLENGE = re.compile(r'(realm|nonce|opaque)="([^"]*)"')


class Phones(asyncio.DatagramProtocol):
    """Each is told by its number, which is the extension's."""

    def __init__(self, server: int, password: str) -> None:
        self.registered: set[int] = set()
        self._server = server
        self._password = password

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._here = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"

    def datagram_received(self, data: bytes, source: tuple[str | int, ...]) -> None:
        head = data.decode().replace("\r\n", "\n").partition("\n\n")[0]
        if head.startswith("OPTIONS "):
            kept = "\r\n".join(f"{line};tag=1" if line.startswith("To:") else line for line in _KEPT.findall(head))
            self._transport.sendto(f"SIP/2.0 200 OK\r\n{kept}\r\nContent-Length: 0\r\n\r\n".encode(), source)
            return
        found = re.search(r"^Call-ID: (\d+)-", head, re.MULTILINE)
        if found is None:
            return
        if head.startswith("SIP/2.0 200 "):
            self.registered.add(int(found[1]))
        elif head.startswith("SIP/2.0 401 ") and "CSeq: 1 " in head:
            self.register(int(found[1]), dict(_CHALLENGE.findall(head)))

    def register(self, number: int, challenge: dict[str, str] | None = None) -> None:
        """Ask to be registered; once more with the answer to the challenge that came."""
        headers = {
            "Via": f"SIP/2.0/UDP {self._here};rport;branch=z9hG4bK{uuid4().hex}",
            "Max-Forwards": "70",
            "From": f"<sip:{number}@127.0.0.1>;tag=1",
            "To": f"<sip:{number}@127.0.0.1>",
            "Call-ID": f"{number}-bench",
            "CSeq": f"{2 if challenge else 1} REGISTER",
            "Contact": f"<sip:{number}@{self._here}>",
            "Expires": "300",
            "User-Agent": "bench",
            "Content-Length": "0",
        }
        if challenge:
            headers["Authorization"] = self._authorization(number, challenge)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._transport.sendto(f"REGISTER sip:127.0.0.1 SIP/2.0\r\n{lines}\r\n".encode(), ("127.0.0.1", self._server))

    def _authorization(self, number: int, challenge: dict[str, str]) -> str:
        """RFC 2617, `auth`."""
        who = _md5(f"{number}:{challenge['realm']}:{self._password}")
        answer = _md5(f"{who}:{challenge['nonce']}:00000001:1:auth:{_md5('REGISTER:sip:127.0.0.1')}")
        quoted = {"username": str(number), **challenge, "uri": "sip:127.0.0.1", "response": answer, "cnonce": "1"}
        parts = [f'{name}="{value}"' for name, value in quoted.items()]
        return f"Digest {', '.join(parts)}, nc=00000001, qop=auth"


def _md5(text: str) -> str:
    return md5(text.encode()).hexdigest()  # noqa: S324 - what SIP's digest is made of


async def main(port: int, numbers: range) -> None:
    loop = asyncio.get_running_loop()
    _, phones = await loop.create_datagram_endpoint(
        lambda: Phones(port, os.environ["SIP_PASSWORD"]), local_addr=("127.0.0.1", 0)
    )
    told = False
    while True:
        phones.registered.clear()
        until = loop.time() + AGAIN
        while left := [number for number in numbers if number not in phones.registered]:
            for start in range(0, len(left), AT_ONCE):
                for number in left[start : start + AT_ONCE]:
                    phones.register(number)
                await asyncio.sleep(PAUSE)
            await asyncio.sleep(1)
        if not told:
            emit(registered=len(numbers))
            told = True
        await asyncio.sleep(until - loop.time())


if __name__ == "__main__":
    first = int(sys.argv[2])
    asyncio.run(main(int(sys.argv[1]), range(first, first + int(sys.argv[3]))))
