"""PostgreSQL over TLS: `sslmode` in the URLs of the service and the owner, with a real server and its certificate."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.postgres import Postgres
from local.postgres_binaries import account
from service.db.migrate import migrate
from service.db.pool import Database
from service.errors import ConfigurationError
from service.settings import Settings
from tests.support.certificates import Issued, issue
from tests.support.command_line import command, environment, with_programs
from tests.support.database import FAST, OWNER, PASSWORD, SERVICE, TestDatabase, scratch
from tests.support.server import ADMIN, serving

SESSIONS = """
select bool_and(s.ssl), count(*) >= 2
from pg_stat_ssl as s join pg_stat_activity as a using (pid)
where a.usename = 'connector_service'
"""


@dataclass(frozen=True)
class Encrypted:
    """A database of a server with a certificate, and the folder of the CAs."""

    database: TestDatabase
    folder: Path

    def url(self, role: str, mode: str, ca: str = "ca") -> str:
        return f"{self.database.server.url(role, self.database.name)}?sslmode={mode}&sslrootcert={self.folder}/{ca}.pem"

    def settings(self, mode: str = "verify-full", ca: str = "ca") -> Settings:
        """Settings of both roles."""
        return self.database.settings(
            database_url=self.url(SERVICE, mode, ca),
            owner_database_url=self.url(OWNER, mode, ca),
            database_start_deadline=0.3,
        )


@contextmanager
def encrypted(folder: Path, names: str) -> Iterator[Encrypted]:
    """A PostgreSQL whose certificate is for these names."""
    authority = issue(folder, "ca", authority=True)
    issue(folder, "other", authority=True)
    issued = issue(folder, "server", issuer=authority, names=names)
    with tempfile.TemporaryDirectory() as readable:  # by the user that PostgreSQL runs as
        Path(readable).chmod(0o755)
        kept = Issued(*(Path(shutil.copy(path, readable)) for path in (issued.certificate, issued.key)))
        owner = account(Path("/nowhere"))
        os.chown(kept.key, owner.get("user", -1), owner.get("group", -1))
        kept.key.chmod(0o600)
        tls = {"ssl": "on", "ssl_cert_file": str(kept.certificate), "ssl_key_file": str(kept.key)}
        with Postgres(scratch(folder), options={**FAST, **tls}) as server:
            server.create_database("connector", OWNER, PASSWORD)
            yield Encrypted(TestDatabase(server, "connector"), folder)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    """A server with a certificate of its own name."""
    with encrypted(tmp_path_factory.mktemp("own"), "DNS:localhost, IP:127.0.0.1") as made:
        asyncio.run(migrate(made.settings()))
        yield made


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    """A server whose certificate is another server's."""
    with encrypted(tmp_path_factory.mktemp("other"), "DNS:db2.example.com") as made:
        asyncio.run(migrate(made.settings("verify-ca")))
        yield made


async def opens(settings: Settings) -> None:
    async with Database.of(settings):
        pass


async def test_a_service_that_checks_the_whole_certificate_encrypts_every_session(own: Encrypted) -> None:
    async with serving(own.settings()) as server:
        assert (await server.client.get("/user/1", headers=ADMIN)).status == 401  # no demo here: PostgreSQL was asked
        assert own.database.server.sql(SESSIONS) == "t|t\n"


async def test_the_certificate_of_another_ca_is_refused_with_its_reason(own: Encrypted) -> None:
    with pytest.raises(ConfigurationError, match="certificate verify failed"):
        await opens(own.settings(ca="other"))


async def test_the_certificate_of_another_server_is_refused_unless_only_the_ca_counts(other: Encrypted) -> None:
    with pytest.raises(ConfigurationError, match="certificate is not valid for"):
        await opens(other.settings())
    await opens(other.settings("verify-ca"))


async def test_a_server_without_tls_is_refused(template: TestDatabase, own: Encrypted) -> None:
    plain = Encrypted(template, own.folder)
    with pytest.raises(ConfigurationError, match="no PostgreSQL within"):
        await opens(plain.settings())


def test_a_ca_that_is_not_there_is_told(own: Encrypted) -> None:
    done = command(environment(own.database, DATABASE_URL=own.url(SERVICE, "verify-full", "missing")), "user", "list")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


async def test_a_backup_uses_the_same_url(own: Encrypted, tmp_path: Path) -> None:
    urls = {"DATABASE_URL": own.url(SERVICE, "verify-full"), "OWNER_DATABASE_URL": own.url(OWNER, "verify-full")}
    variables = {**environment(own.database, **urls), **with_programs(own.database)}
    done = await asyncio.to_thread(command, variables, "backup", str(tmp_path / "night.backup"))
    assert done.returncode == 0, done.stderr
    variables["CONNECTOR_OWNER_DATABASE_URL"] = own.url(OWNER, "verify-full", "other")
    done = await asyncio.to_thread(command, variables, "backup", str(tmp_path / "second.backup"))
    assert done.returncode == 1
    assert "certificate verify failed" in done.stderr
