"""Somebody who tries SIP passwords, over UDP, with whatever headers they like."""

from __future__ import annotations

import re
import socket
import uuid


class Stranger:
    """Sends requests from an address of its own, with what headers it likes, and answers a challenge with nonsense."""

    def __init__(self, port: int, address: str) -> None:
        self._port = port
        self._address = address

    def asks(self, method: str, **headers: str) -> str:
        """Send one request without a password. Returns the answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.bind((self._address, 0))
            line.settimeout(5)
            return self._asks(line, method, headers)

    def tries(self, method: str, **headers: str) -> None:
        """Send a request with a wrong password."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.bind((self._address, 0))
            line.settimeout(20)
            [nonce] = re.findall(r'nonce="(.*?)"', self._asks(line, method, headers))
            digest = f'username="12342", realm="asterisk", nonce="{nonce}", uri="sip:x", response="{"0" * 32}"'
            self._asks(line, method, {**headers, "Authorization": f"Digest {digest}, algorithm=MD5"})

    def _asks(self, line: socket.socket, method: str, headers: dict[str, str]) -> str:
        port = line.getsockname()[1]
        head = {
            "Via": f"SIP/2.0/UDP {self._address}:{port};branch=z9hG4bK{uuid.uuid4().hex}",
            "From": "<sip:12342@x>;tag=1",
            "To": "<sip:12342@x>",
            "Call-ID": uuid.uuid4().hex,
            "CSeq": f"1 {method}",
            "Contact": f"<sip:12342@{self._address}:{port}>",
            "Max-Forwards": "70",
            "Content-Length": "0",
            **headers,
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        line.sendto(f"{method} sip:127.0.0.1 SIP/2.0\r\n{text}\r\n".encode(), ("127.0.0.1", self._port))
        return line.recv(4096).decode()
