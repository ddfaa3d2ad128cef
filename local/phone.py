"""`make phone EXT=12342`: a real SIP phone that registers with the credentials from the service, until Ctrl-C.

It prints the extension's state, as the service reports it, at each change.
"""

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path

from local import demo_data
from local.asterisk_programs import AsteriskError
from local.baresip import Event, Phone, PhoneError
from local.bootstrap import PROJECT, BootstrapError
from local.console import print_line
from local.data_folder import data_dir, load_ports, read_env
from local.http_client import request
from local.shutdown import Terminal, run_until_shutdown

ASK_EVERY_S = 0.25
LAST_STATE_WITHIN_S = 10.0
COMMAND_TIMEOUT_S = 30
EVENT_TEXTS = {
    "REGISTER_OK": "registered",
    "REGISTER_FAIL": "refused",
    "UNREGISTERING": "unregisters",
    "CALL_INCOMING": "rings: a call from",
    "CALL_ESTABLISHED": "is in a call with",
    "CALL_CLOSED": "the call is over:",
}


class NoPhoneError(Exception):
    """No phone can be registered. The message says why."""


@dataclass(frozen=True)
class Line:
    """The registration info of one user: credentials and the present state."""

    extension: str
    state: str
    live: bool
    password: str = field(repr=False)

    def described(self) -> str:
        return self.state if self.live else f"{self.state} (not live)"


class Caller:
    """A client of the service, logged in as the demo's admin."""

    def __init__(self, http_port: int) -> None:
        self._port = http_port
        answer = request(
            http_port, "POST", "/api/v1/login", body={"user": demo_data.ADMIN, "password": demo_data.ADMIN_PASSWORD}
        )
        data = answer.json().get("data")
        if answer.status != HTTPStatus.OK or not isinstance(data, dict):
            raise NoPhoneError(f"{demo_data.ADMIN} could not log in: {answer.text}")
        self._headers = {"X-Auth-Token": str(data["authToken"]), "X-User-Id": str(data["userId"])}

    def line(self, uid: str) -> Line:
        answer = request(self._port, "GET", f"{demo_data.REGISTRATION_PATH}?id={uid}", headers=self._headers)
        details = answer.json().get("extensionDetails")
        if answer.status != HTTPStatus.OK or not isinstance(details, dict):
            raise NoPhoneError(f"the endpoint answered {answer.status}: {answer.text}")
        return Line(
            extension=str(details["extension"]),
            state=str(details["state"]),
            live=answer.headers.get("x-state-live") == "true",
            password=str(details["password"]),
        )

    def logout(self) -> None:
        request(self._port, "POST", "/api/v1/logout", headers=self._headers)


def main() -> int:
    extension = sys.argv[1] if len(sys.argv) > 1 else demo_data.AGENT_EXTENSION
    errors = (NoPhoneError, PhoneError, AsteriskError, BootstrapError, OSError, ValueError)
    return run_until_shutdown(lambda: use(extension, data_dir()), *errors)


def use(extension: str, folder: Path) -> None:
    """Register, and stay registered. At the end unregister, and print the state once more."""
    try:
        settings = read_env(folder)
    except FileNotFoundError:
        raise NoPhoneError(f"there is no run in {folder}; `make run` makes one") from None
    with contextlib.ExitStack() as stack:
        try:
            caller = Caller(int(settings["CONNECTOR_HTTP_PORT"]))
        except OSError as error:
            raise NoPhoneError(f"the service does not answer ({error}); is `make run` running?") from error
        stack.callback(caller.logout)
        printer = StatePrinter(caller, holder(extension, settings))
        phone = Phone(
            extension,
            printer.line.password,
            settings["CONNECTOR_CALL_SERVERS__MAIN__HOST"],
            load_ports(folder)["sip"],
            on_event=lambda event: print_event(extension, event),
        )
        stack.callback(printer.wait_for_change)
        stack.callback(phone.stop)
        phone.start()
        phone.wait_registered()
        terminal = Terminal()
        while phone.is_running():
            terminal.raise_if_gone()
            printer.poll()
            time.sleep(ASK_EVERY_S)


class StatePrinter:
    """Prints the state of one user's extension, and each change of it."""

    def __init__(self, caller: Caller, uid: str) -> None:
        self._caller = caller
        self._uid = uid
        self.line = caller.line(uid)
        self._print()

    def poll(self) -> bool:
        """Ask once; return whether the state changed. An unreachable service is a state too."""
        try:
            line = self._caller.line(self._uid)
        except (OSError, NoPhoneError) as error:
            line = replace(self.line, state=f"no answer ({error})", live=False)
        changed = line.described() != self.line.described()
        self.line = line
        if changed:
            self._print()
        return changed

    def wait_for_change(self) -> None:
        deadline = time.monotonic() + LAST_STATE_WITHIN_S
        while not self.poll() and time.monotonic() < deadline:
            time.sleep(ASK_EVERY_S)

    def _print(self) -> None:
        print_state(self.line.extension, f"state: {self.line.described()}")


def holder(extension: str, settings: dict[str, str]) -> str:
    """The uid of the extension's user, from the command line's list of users."""
    done = subprocess.run(
        [sys.executable, "-m", "service", "user", "list"],
        cwd=PROJECT,
        env=settings,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise NoPhoneError(done.stderr.strip())
    rows = (line.split() for line in done.stdout.splitlines()[1:])
    for row in rows:
        if row[-1:] == [extension]:
            return row[1]
    raise NoPhoneError(f"nobody has the extension {extension}")


def print_state(extension: str, text: str) -> None:
    print_line(f"{time.strftime('%H:%M:%S')}  {extension}  {text}")


def print_event(extension: str, event: Event) -> None:
    if event.type in EVENT_TEXTS:
        print_state(extension, f"phone {EVENT_TEXTS[event.type]} {event.detail}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
