"""A real Linphone without a window: `linphonec`, from Debian's package, run through its own dynamic loader.

It starts with the URL of its configuration and nothing else, as from a QR code, and keeps its settings in a folder of
its own, as on a mobile. Its log reports events, its input takes commands.
"""

import re
import subprocess
import threading
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import IO, Self

from local import bootstrap, debian, ports
from local.asterisk_programs import loader
from local.cache import cache_dir
from local.child_process import terminate
from local.server_process import spawn

SUITE = "bookworm"
"""The Debian release whose Linphone, 5.1.65, is tested. Only Debian's mirrors carry it."""
PACKAGE = "linphone-cli"
DRIVERS = ("libllvm15", "libgl1-mesa-dri", "libz3-4")
"""Dependencies that are loaded only to draw on a graphics card: a third of all."""
ANSWER_TIMEOUT_S = 45.0
STOP_TIMEOUT_S = 15.0

CONFIG = """\
[misc]
config-uri={config_uri}

[sip]
{trust}bind_address={bind}
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1

[rtp]
audio_rtp_port=-1
"""
"""A new phone's settings: the URL of its configuration; and free ports of this machine, as several phones share it."""

FETCH = re.compile(r"HTTP/1\.\d (\d{3}) ")
ASKED = b"notified [auth_info_requested]"
"""It waits for a word: for a client's certificate, which Asterisk asks every TLS client for and needs of none."""
CHANGE = re.compile(r"moving from state \[?Linphone\w+\]? to \[?Linphone(Registration|Call)(\w+)\]?")


class LinphoneError(Exception):
    """Linphone did not reach a state in time. The message names those that it had."""


class Linphone:
    """One Linphone. A second one with the same `folder` is the same phone, started again.

    States are those of its SDK, such as `RegistrationOk`, `RegistrationFailed`, `CallIncomingReceived`,
    `CallStreamsRunning` or `CallEnd`. `Fetched404` is a fetch of its configuration that was answered 404. `ca`: whose
    certificates it believes; None: its own choice of CAs.
    """

    def __init__(self, folder: Path, config_uri: str, ca: Path | None = None) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self._config_uri = config_uri
        self._ca = ca
        self._states: list[str] = []
        self._arrived = threading.Condition()
        self._listener: threading.Thread | None = None

    @property
    def settings(self) -> str:
        """All that it has stored; a secret is among it."""
        return self._settings_file.read_text()

    def start(self) -> None:
        """Start the phone, which then fetches its configuration and registers. Does not wait for either."""
        root = packages_root()
        # Without this folder its core does not start, and it reports nothing.
        (self.folder / ".local/share/linphone").mkdir(parents=True, exist_ok=True)
        if not self._settings_file.exists():
            trust = f"root_ca={self._ca}\n" if self._ca else ""
            config = CONFIG.format(config_uri=self._config_uri, bind=ports.LOOPBACK, trust=trust)
            self._settings_file.write_text(config)
        program, flag, libraries = loader(root)
        pulseaudio = next(root.glob("usr/lib/*/pulseaudio"))
        self._states.clear()
        self.process = spawn(
            [
                *(program, flag, f"{libraries}:{pulseaudio}"),
                *(str(root / "usr/bin/linphonec"), "-c", str(self._settings_file), "-d", "6"),
            ],
            death_signal=SIGTERM,
            log=subprocess.PIPE,
            stdin=subprocess.PIPE,
            environment={"HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TERM": "dumb"},
            # It looks for its grammars in `share` of its working folder, if /usr/share has none.
            folder=root / "usr",
        )
        if self.process.stdout:
            self._listener = threading.Thread(target=self._listen, args=[self.process.stdout], daemon=True)
            self._listener.start()

    @property
    def states(self) -> list[str]:
        """The states that it had since its start, or since `forget`; the newest is the last one."""
        with self._arrived:
            return list(self._states)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_for(self, *states: str, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """The newest of these states, as soon as it had one. Earlier ones count too, until `forget` is called."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._newest(states), timeout_s):
                seen = ", ".join(self._states) or "nothing"
                raise LinphoneError(f"no {' or '.join(states)} in {timeout_s:.0f} s; there was {seen}")
            return self._newest(states)

    def forget(self) -> None:
        """Discard all states so far, so that `wait_for` sees only later ones."""
        with self._arrived:
            self._states.clear()

    def answer(self) -> None:
        """Answer the ringing call."""
        self._command("answer")

    def dial(self, address: str) -> None:
        """Call an address such as `sip:*43@127.0.0.1`, or a number."""
        self._command(f"call {address}")

    def hangup(self) -> None:
        self._command("terminate")

    def stop(self) -> None:
        """Unregister and end."""
        self._end(SIGTERM)

    def kill(self) -> None:
        """End without unregistering, like a phone that loses its power."""
        self._end(SIGKILL)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _settings_file(self) -> Path:
        return self.folder / "linphonerc"

    def _newest(self, states: tuple[str, ...]) -> str:
        return next((state for state in reversed(self._states) if state in states), "")

    def _command(self, command: str) -> None:
        if self.process is None or self.process.stdin is None:
            raise LinphoneError("Linphone is not running")
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def _end(self, signal: Signals) -> None:
        if self.process is not None:
            terminate(self.process, signal, timeout_s=STOP_TIMEOUT_S)
            if self.process.stdin:
                self.process.stdin.close()
        if self._listener is not None:
            self._listener.join(STOP_TIMEOUT_S)

    def _listen(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                if ASKED in line:
                    self._command("none")
                if state := _state(line.decode(errors="replace")):
                    with self._arrived:
                        self._states.append(state)
                        self._arrived.notify_all()


def _state(line: str) -> str:
    """The state that a line of the log reports; empty if it reports none."""
    if answer := FETCH.match(line):
        return f"Fetched{answer[1]}"
    change = CHANGE.search(line)
    return "".join(change.groups()) if change else ""


def packages_root() -> Path:
    """The folder with the extracted packages, downloaded on first use. Raises PackageError."""
    return debian.extract([PACKAGE], cache_dir() / f"linphone-{SUITE}", SUITE, without=DRIVERS, say=bootstrap.say)
