"""A real SIP phone without sound hardware: baresip, from Debian's package, run through its own dynamic loader.

It echoes the audio that it receives. A control port on 127.0.0.1 takes commands and reports events.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import IO, Self

from local import ports
from local.asterisk_programs import loader, packages_root
from local.child_process import terminate
from local.server_process import spawn

START_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
REGISTRATION_S = 120
EVENT_LOST_AFTER_S = 1.0
OUTCOMES = ("REGISTER_OK", "REGISTER_FAIL")

CONFIG = """\
poll_method epoll
sip_listen {bind}:0
net_interface {bind}
call_max_calls {calls}
audio_source aubridge,echo
audio_player aubridge,echo
audio_alert aubridge,bell
ctrl_tcp_listen 127.0.0.1:{control_port}
module_path {modules}
module g711.so
{encryption}module aubridge.so
module_app ctrl_tcp.so
module_app account.so
module_app menu.so
"""

ENCRYPTION = """\
module srtp.so
sip_cafile {ca}
sip_verify_server yes
"""


class PhoneError(Exception):
    """The phone did not carry out a command in time. The message names the command."""


@dataclass(frozen=True)
class Event:
    """An event of baresip, such as `REGISTER_OK` with detail `200 OK`. An event of a call names the peer."""

    type: str
    detail: str
    peer: str = ""
    peer_name: str = ""


class Phone:
    """One extension's phone. A thread of its own calls `on_event` with each Event.

    `auth_username` is by default the extension, `name` the phone's display name, `calls` the number of simultaneous
    calls. With `ca` it speaks SIP over TLS, believes certificates of that CA only, and its media is SRTP unless `srtp`
    is false.
    """

    def __init__(
        self,
        extension: str,
        password: str,
        server: str,
        port: int,
        *,
        bind: str = ports.LOOPBACK,
        auth_username: str = "",
        name: str = "",
        calls: int = 4,
        ca: Path | None = None,
        srtp: bool = True,
        log: IO[bytes] | int = subprocess.DEVNULL,
        on_event: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.extension = extension
        self.process: subprocess.Popen[bytes] | None = None
        self._password = password
        self._server = f"{server}:{port}"
        self._bind = bind
        self._auth_username = auth_username or extension
        self._name = name
        self._calls = calls
        self._ca = ca
        self._srtp = srtp
        self._log = log
        self._on_event = on_event
        self._events: list[Event] = []
        self._arrived = threading.Condition()
        self._control: socket.socket | None = None
        self._folder: Path | None = None

    def start(self) -> None:
        """Start the phone, which then registers. Does not wait for the registration."""
        root = packages_root()
        control_port = ports.free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="phone-"))
        modules = root / "usr/lib/baresip/modules"
        config = CONFIG.format(
            bind=self._bind,
            control_port=control_port,
            modules=modules,
            calls=self._calls,
            encryption=ENCRYPTION.format(ca=self._ca) if self._ca else "",
        )
        (self._folder / "config").write_text(config)
        transport = "tls" if self._ca else "udp"
        address = f"{self._name}<sip:{self.extension}@{self._server};transport={transport}>"
        media = ";mediaenc=srtp-mand" if self._ca and self._srtp else ""
        account = f"{address};auth_user={self._auth_username};regint={REGISTRATION_S}{media}\n"
        (self._folder / "accounts").write_text(account)
        self._events.clear()
        self.process = spawn(
            [*loader(root), str(root / "usr/bin/baresip"), "-f", str(self._folder)],
            death_signal=SIGTERM,
            log=self._log,
            stdin=subprocess.PIPE,
        )
        # baresip prompts for the password that its account lacks. So the password may hold any character and is never
        # on disk. And since baresip waits for the answer, it registers only once this process reads its events.
        self._control = self._connect(control_port)
        listener = threading.Thread(target=self._listen, args=[self._control], daemon=True)
        listener.start()
        if self.process.stdin:
            self.process.stdin.write(self._password.encode() + b"\n")
            self.process.stdin.flush()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_for(self, *types: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Event:
        """The newest event of one of these types, such as `REGISTER_OK`, `CALL_INCOMING` or `CALL_CLOSED`.

        Events that arrived earlier count too, until `forget` is called.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._newest(types), timeout_s):
                seen = ", ".join(event.type for event in self._events) or "nothing"
                raise PhoneError(f"{self.extension}: no {' or '.join(types)} in {timeout_s:.0f} s; there was {seen}")
            return next(event for event in reversed(self._events) if event.type in types)

    def forget(self) -> None:
        """Discard all events so far, so that `wait_for` sees only later ones."""
        with self._arrived:
            self._events.clear()

    def wait_registered(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Raises PhoneError when Asterisk refuses."""
        with contextlib.suppress(PhoneError):
            self.wait_for(*OUTCOMES, timeout_s=EVENT_LOST_AFTER_S)
        if not self._newest(OUTCOMES):
            self._command("reginfo")  # events from before the control connection are lost
        event = self.wait_for(*OUTCOMES, timeout_s=timeout_s)
        if event.type == "REGISTER_FAIL":
            raise PhoneError(f"{self.extension}: Asterisk refused the registration: {event.detail}")

    def register(self) -> None:
        """Register again now."""
        self._command("uareg", f"{REGISTRATION_S} 0")

    def dial(self, extension: str) -> None:
        self._command("dial", f"sip:{extension}@{self._server}")

    def answer(self) -> None:
        """Answer the ringing call."""
        self._command("accept")

    def hold(self) -> None:
        """Put the call on hold."""
        self._command("hold")

    def resume(self) -> None:
        """Take the call off hold."""
        self._command("resume")

    def hangup(self) -> None:
        self._command("hangup")

    def stop(self) -> None:
        """Unregister and end. baresip unregisters on SIGTERM."""
        self._end(SIGTERM)

    def kill(self) -> None:
        """End without unregistering, like a phone that loses its power."""
        self._end(SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, signal: Signals) -> None:
        if self.process is not None:
            terminate(self.process, signal, timeout_s=STOP_TIMEOUT_S)
            if self.process.stdin:
                self.process.stdin.close()
        if self._control is not None:
            self._control.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _newest(self, types: tuple[str, ...]) -> bool:
        return any(event.type in types for event in self._events)

    def _connect(self, port: int) -> socket.socket:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection((ports.LOOPBACK, port), timeout=1)
            time.sleep(0.02)
        self.stop()
        raise PhoneError(f"{self.extension}: baresip did not start")

    def _command(self, command: str, parameters: str = "") -> None:
        message = json.dumps({"command": command, "params": parameters}).encode()
        if self._control is None:
            raise PhoneError(f"{self.extension}: the phone is not running")
        self._control.sendall(b"%d:%b," % (len(message), message))

    def _listen(self, control: socket.socket) -> None:
        control.settimeout(None)
        with contextlib.suppress(OSError), control.makefile("rb") as stream:
            for message in _netstrings(stream):
                event = _event(message)
                if event is not None:
                    with self._arrived:
                        self._events.append(event)
                        self._arrived.notify_all()
                    self._on_event(event)


def _event(message: dict[str, object]) -> Event | None:
    """An event message, or the state in the answer to `reginfo`, as an Event."""
    if message.get("event"):
        told = (str(message.get(key) or "") for key in ("type", "param", "peeruri", "peerdisplayname"))
        return Event(*told)
    answer = str(message.get("data"))
    for word, type_ in zip(("mOK ", "mERR"), OUTCOMES, strict=True):  # follows the escape sequence of a colour
        if word in answer:
            return Event(type_, "reginfo")
    return None


def _netstrings(stream: IO[bytes]) -> Iterator[dict[str, object]]:
    """The JSON messages of a stream of netstrings: `LENGTH:JSON,` each."""
    length = b""
    while byte := stream.read(1):
        if byte != b":":
            length += byte
            continue
        yield json.loads(stream.read(int(length)))
        stream.read(1)
        length = b""
