"""`make run`: PostgreSQL, Asterisk and the service with demo data, in the foreground, until Ctrl-C.

The variables HTTP_PORT and DATA_DIR choose the port and the data folder. With NATS=1 a NATS server and a collector run
as well, and the service follows the collector instead of having a connection to Asterisk. All that it starts ends with
it, also when it is killed or loses its terminal. The data folder remains. With `--reload`, which `make dev` adds, the
service is restarted whenever one of its source files changes.
"""

import argparse
import contextlib
import os
import shlex
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from local import demo_data, ports
from local.asterisk import Asterisk
from local.asterisk_programs import AsteriskError
from local.bootstrap import BootstrapError
from local.console import LogPipe, log, print_line
from local.data_folder import InUseError, data_dir, locked, write_env
from local.http_client import request
from local.nats import Nats, NatsError
from local.plan import DATABASE, OWNER_ROLE, Plan, make_plan
from local.postgres import Postgres
from local.postgres_binaries import PostgresError
from local.restarter import Restarter
from local.service_process import ServiceProcess
from local.shutdown import ShutdownRequested, Terminal, run_until_shutdown

DEFAULT_HTTP_PORT = 8080
POLL_EVERY_S = 0.25
NOTICE_EVERY_S = 4.0
"""A terminal that is silent for more than five seconds looks hung."""
DEMO_LOADED = "demo-loaded"


class RunError(Exception):
    """The run cannot go on. The message says why, in one line."""


class Polled(Protocol):
    """What the main loop calls periodically."""

    def poll(self) -> None: ...


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.run")
    parser.add_argument("--reload", action="store_true", help="restart the service whenever its sources change")
    reload = parser.parse_args().reload
    errors = (RunError, InUseError, PostgresError, AsteriskError, BootstrapError, NatsError, OSError)
    return run_until_shutdown(lambda: run_here(reload=reload), *errors)


def run_here(*, reload: bool) -> None:
    """Run with the port and the data folder of the environment."""
    http_port = chosen_http_port()
    folder = data_dir()
    make_folder(folder)
    with locked(folder):
        run(folder, make_plan(folder, http_port, bus=os.environ.get("NATS", "0") not in ("", "0")), reload=reload)


def make_folder(folder: Path) -> None:
    """Create the data folder. Raises RunError if that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RunError(f"DATA_DIR must be a folder, and {folder} cannot be one: a file is in the way") from None


def run(folder: Path, plan: Plan, *, reload: bool = False) -> None:
    """Start all in order, keep them running, and stop them in the opposite order however it ends."""
    settings = plan.service_settings()
    for name in overridden(settings | plan.owner_settings(), os.environ):
        log("run", f"{name} of the environment is not used: `make run` sets it itself")
    write_env(folder, settings | plan.owner_settings())
    with contextlib.ExitStack() as stack:
        bus = ("nats", "collector") if plan.has_bus else ()
        pipes = {name: LogPipe(name) for name in ("postgres", "asterisk", *bus, "service")}
        for pipe in pipes.values():
            stack.callback(pipe.close)
        postgres = Postgres(folder / "postgres", port=plan.ports["postgres"], log=pipes["postgres"].fd)
        asterisk = Asterisk(folder / "asterisk", plan.asterisk_config(), log=pipes["asterisk"].fd)
        service = ServiceProcess(settings, log=pipes["service"].fd)
        restarters = [Restarter("postgres", postgres), Restarter("asterisk", asterisk)]
        if plan.has_bus:
            passwords = (plan.secrets["bus_collector"], plan.secrets["bus_follower"])
            nats = Nats(folder / "nats", port=plan.ports["nats"], passwords=passwords, log=pipes["nats"].fd)
            collector = ServiceProcess(plan.collector_settings(), log=pipes["collector"].fd)
            restarters += [Restarter("nats", nats), Restarter("collector", collector)]
        restarters.append(Restarter("service", service))
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
            polled: list[Polled] = [*restarters]
            if reload:
                services = [restarter for restarter in restarters if isinstance(restarter.program, ServiceProcess)]
                polled.append(reloader(services, plan, service))
            watch(polled, plan)
        except ShutdownRequested:
            log("run", "stopping")
            raise


def reloader(restarters: Sequence[Restarter], plan: Plan, service: ServiceProcess) -> Polled:
    """Imported late: what watches files is a development dependency, which `make run` does without."""
    from local.reload import Reloader

    return Reloader(restarters, lambda: migrated(plan, service))


def overridden(own: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    """Names of the settings in the environment whose value this run replaces by another."""
    return sorted(name for name, value in own.items() if given.get(name) not in (None, "", value))


def prepare(folder: Path, plan: Plan, service: ServiceProcess) -> None:
    """Migrate the schema, and load the demo data at the first run."""
    if not migrated(plan, service):
        raise RunError("the migrations failed; the lines above say why")
    loaded = folder / DEMO_LOADED
    if not loaded.exists():
        if service.run("demo", {}):
            raise RunError("the demo data could not be loaded; the lines above say why")
        loaded.touch()


def migrated(plan: Plan, service: ServiceProcess) -> bool:
    """Migrate the schema; False if that failed."""
    return service.run("migrate", plan.owner_settings()) == 0


def watch(polled: Sequence[Polled], plan: Plan) -> None:
    """Poll until a signal arrives; announce the service once it is ready."""
    http_port = plan.http_port
    started, announced = time.monotonic(), False
    terminal = Terminal()
    next_notice = NOTICE_EVERY_S
    while True:
        terminal.raise_if_gone()
        for one in polled:
            one.poll()
        if not announced:
            trouble = not_ready_reason(http_port)
            if trouble is None:
                announce(plan)
                announced = True
            elif time.monotonic() - started > next_notice:
                log("run", f"not ready yet: {trouble}")
                next_notice += NOTICE_EVERY_S
        time.sleep(POLL_EVERY_S)


def not_ready_reason(http_port: int) -> str | None:
    """None once the service reports itself ready and answers the documented call."""
    headers = {"X-Auth-Token": demo_data.ADMIN_TOKEN, "X-User-Id": demo_data.ADMIN_UID}
    try:
        health = request(http_port, "GET", "/readyz")
        if health.status != HTTPStatus.OK or health.json().get("status") != "ready":
            return health.text
        answer = request(http_port, "GET", f"{demo_data.REGISTRATION_PATH}?id={demo_data.AGENT_UID}", headers=headers)
    except (OSError, ValueError) as error:
        return f"the service does not answer: {error}"
    # If the demo's users were changed since, the answer is not the documented one. That is no error.
    return None if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR else answer.text


def announce(plan: Plan) -> None:
    base = f"http://{ports.LOOPBACK}:{plan.http_port}"
    moved = [f"{name}={shlex.quote(os.environ[name])} " for name in ("CACHE_DIR", "DATA_DIR") if name in os.environ]
    logins = " or ".join(demo_data.AGENTS)
    print_line(f"\nready: {base}\nevery line live, and a phone in the browser: {base}/board")
    print_line(f"log in as {logins}; README.md and the table of the first start have the passwords")
    print_line(f"the API, to read and to try in a browser: {base}/docs\n\nTry, in another terminal:\n")
    for line in [*demo_data.curl_lines(base), f"{''.join(moved)}make phone EXT={demo_data.AGENT_EXTENSION}"]:
        print_line(f"  {line}\n")
    if plan.has_bus:
        print_line(
            f"The service follows a collector over NATS: http://{ports.LOOPBACK}:{plan.ports['collector']}/readyz\n"
        )
    print_line("Ctrl-C stops everything.\n")


def chosen_http_port() -> int:
    """`HTTP_PORT`, or 8080. Raises RunError if it is no port or is in use."""
    text = os.environ.get("HTTP_PORT") or str(DEFAULT_HTTP_PORT)
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65535:
        raise RunError(f"HTTP_PORT must be a port's number, not {text!r}")
    if not ports.is_free(int(text), kinds=(socket.SOCK_STREAM,)):
        raise RunError(f"port {text} is in use; `HTTP_PORT={int(text) + 1} make run` takes another one")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
