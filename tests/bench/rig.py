"""A real PostgreSQL, a real Asterisk and the service, each a process of its own, for as long as a run lasts."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local import asterisk_programs, ports
from local.asterisk import Asterisk
from local.asterisk_programs import TEMPLATES
from local.postgres import Postgres
from local.stack import DATABASE, OWNER_ROLE, Plan, Service, make_plan
from tests.bench import asking, people
from tests.bench.asking import Ask
from tests.bench.processes import BenchError, Program, wait_until_answers, wait_until_quiet

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
BENCH, STATIC = "bench", "static1"
BOOT_DEADLINE = 120.0
PEOPLE = 10_000

# What only these measurements need of Asterisk: an account that sets states and shows endpoints, AMI over HTTP, and
# one endpoint in a file, so that Asterisk can answer without PostgreSQL.
ACCOUNT = """
[{name}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read =
write = system,call,reporting
writetimeout = 5000
"""
ENDPOINT = """
[{name}]
type = endpoint
aors = {name}
auth = {name}
context = extensions
disallow = all
allow = ulaw

[{name}]
type = auth
auth_type = userpass
username = {name}
password = my$up3erP@ssw0rd

[{name}]
type = aor
max_contacts = 1
"""


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
        self.postgres = Postgres(folder / "postgres", port=self.plan.ports["postgres"], options=FAST)
        self.asterisk = Asterisk(folder / "asterisk", self.plan.asterisk_config(), templates=folder / "templates")
        self._stack = contextlib.ExitStack()
        self._people = 0
        self._served: Served | None = None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._log = stack.enter_context((self._folder / "service.log").open("ab"))
            stack.enter_context(self.postgres)
            self.postgres.create_database(DATABASE, OWNER_ROLE, self.plan.secrets["owner_database"])
            service = self._service()
            if service.run("migrate", self.plan.owner_settings()) or service.run("demo", {}):
                raise BenchError(f"the database could not be prepared: see {self._log.name}")
            self._write_templates()
            stack.enter_context(self.asterisk)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def populate(self, count: int = PEOPLE) -> None:
        """Have so many people with extensions; Asterisk boots anew, so that it tracks their endpoints."""
        if count <= self._people:
            return
        self._people = count
        self.asterisk.stop()
        people.create(self.postgres, count)
        self.asterisk.start()
        self.asterisk.wait_ready(BOOT_DEADLINE)

    def asked(self, name: str, asked: Iterable[Ask]) -> Path:
        """A file of requests for the load generators."""
        return asking.write(self._folder / f"{name}.asked", asked)

    def served(self) -> Served:
        """The service as shipped, with all people, once it has looked after their endpoints; it runs to the end."""
        if self._served is None:
            self.populate()
            service = self._service()
            self._stack.callback(service.stop)
            service.start()
            url = f"http://127.0.0.1:{self.plan.http_port}"
            wait_until_answers(f"{url}/readyz", '"ready"')
            assert service.process is not None
            wait_until_quiet(service.process.pid, self.asterisk_pid)
            self._served = Served(url, service.process.pid)
        return self._served

    @contextlib.contextmanager
    def bare(self, what: str, configuration: Mapping[str, object]) -> Iterator[Served]:
        """One of the bare handlers of `tests.bench.bare`."""
        port = ports.free_port()
        database = {
            "BENCH_DATABASE_URL": self.plan.service_settings()["CONNECTOR_DATABASE_URL"],
            "BENCH_DATABASE_PASSWORD": self.plan.secrets["service_database"],
        }
        with Program("tests.bench.bare", what, port, json.dumps(configuration), environment=database) as program:
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

    def _service(self) -> Service:
        return Service(self.plan.service_settings(), log=self._log.fileno())

    def _write_templates(self) -> None:
        """The real configuration, and what only these measurements need."""
        etc = self._folder / "templates"
        shutil.copytree(TEMPLATES / "etc", etc)
        manager = (etc / "manager.conf").read_text().replace("webenabled = no", "webenabled = yes")
        (etc / "manager.conf").write_text(manager + ACCOUNT.format(name=BENCH, secret=self.secret))
        with (etc / "pjsip.conf").open("a") as pjsip:
            pjsip.write(ENDPOINT.format(name=STATIC))
        sorcery = (etc / "sorcery.conf").read_text().splitlines()
        (etc / "sorcery.conf").write_text("".join(f"{_with_file(line)}\n" for line in sorcery))


def _with_file(line: str) -> str:
    """A line of sorcery.conf that names a realtime view, with pjsip.conf asked first."""
    kind, _, wizard = line.partition("=")
    if not wizard.strip().startswith("realtime"):
        return line
    return f"{kind.strip()} = config,pjsip.conf,criteria=type={kind.strip()}\n{line}"
