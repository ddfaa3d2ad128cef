"""A scripted AMI server, for what a real one cannot be made to do: say the same bytes twice, or at a known moment."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Self

FULLY_BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"
_ACTION = re.compile(rb"^Action: (\w+)", re.MULTILINE | re.IGNORECASE)
_ID = re.compile(rb"^ActionID: (\S+)", re.MULTILINE | re.IGNORECASE)


class ScriptedAsterisk:
    """Lets every client in, each in a thread; has booted, and lists these devices as not in use.

    What is counted, said and cut is of the newest client that wants events, which is a service's link.

    Of contacts it knows only the first device's: that is enough to be believed, and nothing is known of the others.
    """

    def __init__(self, devices: Iterable[str] = ()) -> None:
        self.asked: Counter[str] = Counter()
        """How often it was asked for each action."""
        self._devices = [device.encode() for device in devices]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._link: socket.socket | None = None
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for client in self._clients:
            client.close()

    def say(self, data: bytes) -> None:
        """Send whole messages to the link."""
        assert self._link is not None
        self._send(self._link, data)

    def cut(self) -> None:
        """End the link. It may come again."""
        assert self._link is not None
        self._link.shutdown(socket.SHUT_RDWR)

    def _send(self, client: socket.socket, data: bytes) -> None:
        with self._writing:
            client.sendall(data)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                threading.Thread(target=self._serve_one, args=(client,), daemon=True).start()

    def _serve_one(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        try:
            self._send(client, b"Asterisk Call Manager/11.0.0\r\n")
            while data := client.recv(65536):
                *actions, rest = (rest + data).split(b"\r\n\r\n")
                for action in actions:
                    name = _name(action)
                    if name == "login" and b"Events: off" not in action:
                        self._link = client
                    if client is self._link:
                        self.asked[name] += 1
                    self._send(client, self._answer(name, action))
        except OSError:
            pass  # one of us has closed it

    def _answer(self, name: str, action: bytes) -> bytes:
        id_ = _ID.search(action)
        line = b"ActionID: " + id_[1] + b"\r\n" if id_ else b""
        answer = b"Response: Success\r\n" + line
        match name:
            case "login":
                return answer + b"Message: Authentication accepted\r\n\r\n" + FULLY_BOOTED
            case "devicestatelist":
                return _listed(answer, line, (_state(line, device) for device in self._devices))
            case "dbgettree":
                return _listed(answer, line, (_contact(line, device) for device in self._devices[:1]))
            case "getvar" if b"PJSIP_CONTACT(" in action:
                return answer + b"Value: NonQualified\r\n\r\n"
            case _ if name.endswith("list") or name == "queuestatus":
                return _listed(answer, line, ())
            case "listcommands":  # both accounts log in with the same answer: `call` is what `presence` is checked for
                return answer + b"Originate: Originate a call.  (Priv: call,all)\r\n\r\n"
            case "ping":
                return answer + b"Ping: Pong\r\n\r\n"
            case _:
                return answer + b"\r\n"


def _name(action: bytes) -> str:
    found = _ACTION.search(action)
    return found[1].decode().lower() if found else ""


def _listed(answer: bytes, line: bytes, items: Iterable[bytes]) -> bytes:
    end = b"Event: ListComplete\r\n" + line + b"EventList: Complete\r\n\r\n"
    return b"".join((answer, b"EventList: start\r\nMessage: A list will follow\r\n\r\n", *items, end))


def _state(line: bytes, device: bytes) -> bytes:
    return b"Event: DeviceStateChange\r\n" + line + b"Device: " + device + b"\r\nState: NOT_INUSE\r\n\r\n"


def _contact(line: bytes, device: bytes) -> bytes:
    number = device.removeprefix(b"PJSIP/")
    kept = b'{"uri":"sip:%b@192.0.2.1","expiration_time":"4102444800"}' % number
    return b"Event: DBGetTreeResponse\r\nKey: /registrar/contact/%b;@1\r\nVal: %b\r\n" % (number, kept) + line + b"\r\n"
