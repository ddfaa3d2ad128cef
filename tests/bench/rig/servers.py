"""A real PostgreSQL, a real Asterisk and the service, each a process of its own, for as long as a run lasts."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local import asterisk_programs, ports
from local.asterisk import Asterisk
from local.plan import DATABASE, OWNER_ROLE, SERVICE_ROLE, Plan, make_plan
from local.postgres import Postgres
from local.service_process import ServiceProcess
from tests.bench.rig import asterisk_config, people, request_file
from tests.bench.rig.processes import START_DEADLINE, BenchError, Program, wait_until_answers, wait_until_quiet
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.statement_counter import MARKED

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200", **MARKED}
BOOT_DEADLINE = 120.0
PEOPLE = 10_000
UNBOUND = {"CONNECTOR_STREAMS_PER_PERSON": "1000000", "CONNECTOR_LONG_POLLS_PER_PERSON": "1000000"}
"""Load generators hold many with few tokens."""


@dataclass(frozen=True)
class Served:
    """A server under measurement: where it is, and whose CPU time counts."""

    url: str
    pid: int


class Rig:
    """Owns the servers. A context manager; `folder` must be one that other users may enter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.plan: Plan = make_plan(folder, ports.free_port())
        self.secret = secrets.token_urlsafe(24)
        """Of the account that sets states: see `tests.bench.rig.asterisk_config`."""
        self.postgres = Postgres(folder / "postgres", port=self.plan.ports["postgres"], options=FAST)
        self.asterisk = Asterisk(folder / "asterisk", self.plan.asterisk_config(), templates=folder / "templates")
        self._stack = contextlib.ExitStack()
        self._people = 0
        self._databases: set[str] = set()
        self._served: Served | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._log = stack.enter_context((self._folder / "service.log").open("ab"))
            stack.enter_context(self.postgres)
            self._migrate(DATABASE)
            asterisk_config.write(self._folder / "templates", self.secret)
            stack.enter_context(self.asterisk)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def populate(self, count: int = PEOPLE) -> None:
        """Have so many people with extensions; Asterisk boots anew, so that it tracks their endpoints.

        One phone is registered: where there is none, a service goes on looking for a while (`contact_sync`).
        """
        if count <= self._people:
            return
        first, self._people = not self._people, count
        self.asterisk.stop()
        people.create(self.postgres, count)
        self.asterisk.start()
        self.asterisk.wait_ready(BOOT_DEADLINE)
        if first:
            self._stack.enter_context(self.phones(1))

    def database(self, name: str, count: int, call_servers: Sequence[str] = ("main",)) -> str:
        """The URL of another database, with so many people on these call servers."""
        if name not in self._databases:
            self._migrate(name)
            self.postgres.sql("delete from extensions", name)  # the demo's are in no scripted Asterisk
            people.create(self.postgres, count, name, call_servers)
            self._databases.add(name)
        return self._url(name)

    def _migrate(self, name: str) -> None:
        self.postgres.create_database(name, OWNER_ROLE, self.plan.secrets["owner_database"])
        service = self.service({"CONNECTOR_DATABASE_URL": self._url(name)})
        owner = {**self.plan.owner_settings(), "CONNECTOR_OWNER_DATABASE_URL": self._url(name, OWNER_ROLE)}
        if service.run("migrate", owner) or service.run("demo", {}):
            raise BenchError(f"the database {name} could not be prepared: see {self._log.name}")

    def _url(self, database: str, role: str = SERVICE_ROLE) -> str:
        return self.postgres.url(role, database)

    def asked(self, name: str, asked: Iterable[LoadRequest]) -> Path:
        """A file of requests for the load generators."""
        return request_file.write(self._folder / f"{name}.asked", asked)

    def log_lines(self) -> int:
        """How many lines the services have logged."""
        return Path(self._log.name).read_bytes().count(b"\n")

    def served(self) -> Served:
        """The service as shipped, with all people, once it has looked after their endpoints; it runs to the end."""
        if self._served is None:
            self.populate()
            service = self.service()
            self._stack.callback(service.stop)
            service.start()
            url = f"http://127.0.0.1:{self.plan.http_port}"
            wait_until_answers(f"{url}/readyz", '"ready"')
            assert service.process is not None
            wait_until_quiet(service.process.pid, self.asterisk_pid)
            self._served = Served(url, service.process.pid)
        return self._served

    @contextlib.contextmanager
    def phones(self, count: int) -> Iterator[None]:
        """So many of the people have a phone that is registered."""
        arguments = (self.asterisk.config.sip_port, people.FIRST, count)
        environment = {"SIP_PASSWORD": people.SIP_PASSWORD}
        with Program("tests.bench.programs.phones", *arguments, environment=environment) as program:
            program.line()
            yield

    @contextlib.contextmanager
    def bare(self, what: str, configuration: Mapping[str, object]) -> Iterator[Served]:
        """One of the bare handlers of `tests.bench.programs.bare_handler`."""
        port = ports.free_port()
        database = {
            "BENCH_DATABASE_URL": self.plan.service_settings()["CONNECTOR_DATABASE_URL"],
            "BENCH_DATABASE_PASSWORD": self.plan.secrets["service_database"],
        }
        with Program(
            "tests.bench.programs.bare_handler", what, port, json.dumps(configuration), environment=database
        ) as program:
            program.line()
            yield Served(f"http://127.0.0.1:{port}", program.pid)

    def versions(self) -> tuple[str, str]:
        """Asterisk's and PostgreSQL's."""
        return asterisk_programs.find().version, self.postgres.sql("show server_version").split()[0]

    @property
    def asterisk_pid(self) -> int:
        assert self.asterisk.process is not None
        return self.asterisk.process.pid

    @property
    def postgres_pid(self) -> int:
        assert self.postgres.process is not None
        return self.postgres.process.pid

    @contextlib.contextmanager
    def another(self, within: float = START_DEADLINE, **settings: str) -> Iterator[Served]:
        """The service once more, with other settings, once it is ready; its command is measured, not its rest."""
        port = ports.free_port()
        service = self.service({"CONNECTOR_HTTP_PORT": str(port), **settings})
        service.start()
        try:
            assert service.process is not None
            url = f"http://127.0.0.1:{port}"
            wait_until_answers(f"{url}/readyz", '"ready"', within)
            yield Served(url, service.process.pid)
        finally:
            service.stop()

    def service(self, settings: Mapping[str, str] | None = None) -> ServiceProcess:
        """The service as a program, with what these settings change."""
        return ServiceProcess({**self.plan.service_settings(), **UNBOUND, **(settings or {})}, log=self._log.fileno())
