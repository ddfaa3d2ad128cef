"""`make run`: PostgreSQL, Asterisk and the service with demo data, in the foreground, until Ctrl-C.

HTTP_PORT and DATA_DIR move it. What it started ends with it, also when it is killed or loses its terminal.
The data folder stays.
"""

import contextlib
import os
import shlex
import signal
import socket
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from local import demo_data, ports
from local.asterisk import Asterisk
from local.asterisk_programs import AsteriskError
from local.bootstrap import BootstrapError
from local.child_process import set_parent_death_signal
from local.console import LogPipe, log, print_line
from local.data_folder import InUseError, data_dir, locked, write_env
from local.http_client import request
from local.plan import DATABASE, OWNER_ROLE, Plan, make_plan
from local.postgres import Postgres
from local.postgres_binaries import PostgresError
from local.restarter import Restarter
from local.service_process import ServiceProcess
from local.shutdown import ShutdownRequested, Terminal, shutdown_on_signals

DEFAULT_HTTP_PORT = 8080
LOOK_EVERY_S = 0.25
PATIENCE_S = 4.0
"""Nobody looks at a silent terminal for more than five seconds without wondering."""
DEMO_LOADED = "demo-loaded"


class RunError(Exception):
    """It cannot go on; the message says why, in one line."""


def main() -> int:
    try:
        with shutdown_on_signals():
            set_parent_death_signal(signal.SIGTERM)  # when make is killed, nobody else tells
            http_port = chosen_http_port()
            folder = data_dir()
            make_folder(folder)
            with locked(folder):
                run(folder, make_plan(folder, http_port))
    except ShutdownRequested:
        return 0
    except (RunError, InUseError, PostgresError, AsteriskError, BootstrapError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def make_folder(folder: Path) -> None:
    """Raises RunError where something else is in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RunError(f"DATA_DIR must be a folder, and {folder} cannot be one: a file is in the way") from None


def run(folder: Path, plan: Plan) -> None:
    """Start all three, in order; watch them; stop them in the opposite order, whatever happens."""
    for name in unheeded(plan.service_settings() | plan.owner_settings(), os.environ):
        log("run", f"{name} of the environment is not used: `make run` sets it itself")
    write_env(folder, plan.service_settings() | plan.owner_settings())
    with contextlib.ExitStack() as stack:
        pipes = {name: LogPipe(name) for name in ("postgres", "asterisk", "service")}
        for pipe in pipes.values():
            stack.callback(pipe.close)
        postgres = Postgres(folder / "postgres", port=plan.ports["postgres"], log=pipes["postgres"].fd)
        asterisk = Asterisk(folder / "asterisk", plan.asterisk_config(), log=pipes["asterisk"].fd)
        service = ServiceProcess(plan.service_settings(), log=pipes["service"].fd)
        restarters = [Restarter("postgres", postgres), Restarter("asterisk", asterisk), Restarter("service", service)]
        for restarter in restarters:
            stack.callback(restarter.program.stop)

        try:
            log("run", f"starting PostgreSQL in {folder / 'postgres'}")
            restarters[0].start()
            postgres.wait_ready()
            postgres.create_database(DATABASE, OWNER_ROLE, plan.secrets["owner_database"])
            prepare(folder, plan, service)
            for restarter in restarters[1:]:
                restarter.start()
            watch(restarters, plan.http_port)
        except ShutdownRequested:
            log("run", "stopping")
            raise


def unheeded(own: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    """The settings that somebody gave, and that are set here to something else."""
    return sorted(name for name, value in own.items() if given.get(name) not in (None, "", value))


def prepare(folder: Path, plan: Plan, service: ServiceProcess) -> None:
    """The schema, at each run; the demo data, at the first."""
    if service.run("migrate", plan.owner_settings()):
        raise RunError("the migrations failed; the lines above say why")
    loaded = folder / DEMO_LOADED
    if not loaded.exists():
        if service.run("demo", {}):
            raise RunError("the demo data could not be loaded; the lines above say why")
        loaded.touch()


def watch(restarters: list[Restarter], http_port: int) -> None:
    """Until a signal comes."""
    started, announced = time.monotonic(), False
    terminal = Terminal()
    patience = PATIENCE_S
    while True:
        terminal.raise_if_gone()
        for restarter in restarters:
            restarter.poll()
        if not announced:
            trouble = what_is_missing(http_port)
            if trouble is None:
                announce(http_port)
                announced = True
            elif time.monotonic() - started > patience:
                log("run", f"not ready yet: {trouble}")
                patience += PATIENCE_S
        time.sleep(LOOK_EVERY_S)


def what_is_missing(http_port: int) -> str | None:
    """None once the service calls itself ready and answers the documented call."""
    headers = {"X-Auth-Token": demo_data.ADMIN_TOKEN, "X-User-Id": demo_data.ADMIN_UID}
    try:
        health = request(http_port, "GET", "/readyz")
        if health.status != HTTPStatus.OK or health.json().get("status") != "ready":
            return health.text
        answer = request(http_port, "GET", f"{demo_data.REGISTRATION_PATH}?id={demo_data.AGENT_UID}", headers=headers)
    except (OSError, ValueError) as error:
        return f"the service does not answer: {error}"
    # Whoever changed the demo's users since gets another answer than the documented one: that is no trouble.
    return None if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR else answer.text


def announce(http_port: int) -> None:
    base = f"http://{ports.LOOPBACK}:{http_port}"
    moved = [f"{name}={shlex.quote(os.environ[name])} " for name in ("CACHE_DIR", "DATA_DIR") if name in os.environ]
    print_line(f"\nready: {base}\nthe API, to read and to try in a browser: {base}/docs\n\nTry, in another terminal:\n")
    for line in [*demo_data.curl_lines(base), f"{''.join(moved)}make phone EXT={demo_data.AGENT_EXTENSION}"]:
        print_line(f"  {line}\n")
    print_line("Ctrl-C stops everything.\n")


def chosen_http_port() -> int:
    """`HTTP_PORT`, or 8080. Raises RunError when it is not to be had."""
    text = os.environ.get("HTTP_PORT") or str(DEFAULT_HTTP_PORT)
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65535:
        raise RunError(f"HTTP_PORT must be a port's number, not {text!r}")
    if not ports.is_free(int(text), kinds=(socket.SOCK_STREAM,)):
        raise RunError(f"port {text} is in use; `HTTP_PORT={int(text) + 1} make run` takes another one")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
