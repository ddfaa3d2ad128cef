"""The certificate of the HTTPS port while the service runs: replaced, broken, expired. All real processes."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from local import ports
from tests.support.certificates import Issued, issue
from tests.support.command_line import command, environment
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to
from tests.support.served import POLL, STARTED, Clients, Served, served

EXPIRY = re.compile(r"^connector_tls_certificate_expiry_timestamp_seconds(?:\{.*\})? (\S+)$", re.MULTILINE)
REFUSED = re.compile(r"^connector_tls_certificate_refused(?:\{.*\})? (\S+)$", re.MULTILINE)


def install(issued: Issued, folder: Path) -> None:
    """Put a certificate and its key where the service reads them, one after the other, as tools do."""
    shutil.copy(issued.certificate, folder / "live.pem")
    shutil.copy(issued.key, folder / "live.key")


def files(folder: Path) -> dict[str, str]:
    return {"TLS_CERTIFICATE_FILE": str(folder / "live.pem"), "TLS_KEY_FILE": str(folder / "live.key")}


@asynccontextmanager
async def served_over_tls(
    database: TestDatabase, folder: Path, issued: Issued, **settings: str
) -> AsyncIterator[Served]:
    """A service with this certificate, whose metrics have a port of their own."""
    install(issued, folder)
    metrics = ports.free_port()
    async with served(database, folder, METRICS_PORT=str(metrics), **files(folder), **settings) as service:
        service.tls, service.metrics_port = issued.trusting(), metrics
        await service.answers()
        yield service


async def serves(port: int, issued: Issued) -> bool:
    """Whether a new connection gets this certificate."""
    async with line_to(port, ssl._create_unverified_context()) as (_, writer):  # noqa: S323
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return bool(shown == ssl.PEM_cert_to_DER_cert(issued.certificate.read_text()))


def refused(service: Served, times: int) -> bool:
    """Whether its processes have refused so many certificates."""
    return service.log.count("tls_certificate_refused") == times


async def metric(service: Served, pattern: re.Pattern[str]) -> set[float]:
    """The values of a metric of all workers, from the port that speaks plain HTTP."""
    return {float(value) for value in pattern.findall(await service.metrics())}


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_new_certificate_is_served_without_a_restart_and_a_bad_one_never(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    first, second = issue(tmp_path, "first", days=(-1, 20)), issue(tmp_path, "second", days=(-1, 40))
    expired, future = issue(tmp_path, "expired", days=(-20, -1)), issue(tmp_path, "future", days=(1, 40))
    broken = Issued(tmp_path / "broken.pem", first.key)
    broken.certificate.write_text(first.certificate.read_text()[:300])
    mismatched = Issued(first.certificate, second.key)
    async with (
        served_over_tls(database, tmp_path, first, WORKERS=workers) as service,
        line_to(service.port, service.tls) as (reader, writer),
    ):
        if workers == "2":
            await service.has_up(2)
        writer.write(POLL)
        assert (await answer_on(reader)).status == 200
        (before,) = await metric(service, EXPIRY)
        for number, bad in enumerate((expired, broken, mismatched, future), start=1):
            install(bad, tmp_path)
            await eventually(partial(refused, service, number * int(workers)), what=str(bad))
            for _ in range(4):
                assert await serves(service.port, first)
        assert (await metric(service, EXPIRY), await metric(service, REFUSED)) == ({before}, {1.0})
        install(second, tmp_path)

        async def renewed() -> bool:
            return before not in await metric(service, EXPIRY)

        await eventually(renewed, what="all workers have the new one")
        for _ in range(4):
            assert await serves(service.port, second)
        (after,) = await metric(service, EXPIRY)
        assert after - before == pytest.approx(20 * 86_400, abs=5)
        assert await metric(service, REFUSED) == {0.0}
        writer.write(POLL)  # on the connection that is older than the new certificate
        assert (await answer_on(reader)).status == 200
        assert service.process.poll() is None
        assert "PRIVATE" not in service.log


async def test_a_hangup_reads_the_files_at_once(database: TestDatabase, tmp_path: Path) -> None:
    first, second = issue(tmp_path, "first"), issue(tmp_path, "second")
    async with served_over_tls(database, tmp_path, first) as service:
        service.process.send_signal(signal.SIGHUP)  # also if nothing has changed
        await eventually(lambda: service.log.count("tls_certificate_loaded") == 2)
        (tmp_path / "live.pem").unlink()
        service.process.send_signal(signal.SIGHUP)
        await eventually(lambda: "live.pem cannot be read: No such file" in service.log)
        assert await service.poll() == 200
        install(second, tmp_path)
        service.process.send_signal(signal.SIGHUP)
        await eventually(lambda: service.log.count("tls_certificate_loaded") == 3, within=3)
        assert await serves(service.port, second)


async def test_a_hangup_replaces_no_worker_while_the_files_are_broken(database: TestDatabase, tmp_path: Path) -> None:
    first = issue(tmp_path, "first")
    async with served_over_tls(database, tmp_path, first, WORKERS="2") as service:
        await service.has_up(2)
        before = service.workers()
        (tmp_path / "live.key").write_text("broken")
        service.process.send_signal(signal.SIGHUP)
        await eventually(lambda: "workers_reload_refused" in service.log)
        assert await service.poll() == 200
        install(first, tmp_path)
        service.process.send_signal(signal.SIGHUP)
        await eventually(lambda: "workers_reload_finished" in service.log, 2 * STARTED)
        assert not before & service.workers()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_request_over_tls_fails_when_it_ends_under_load(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    many = {"WORKERS": workers, "REQUESTS_PER_MINUTE": "1000000"}
    async with served_over_tls(database, tmp_path, issue(tmp_path), **many) as service:
        clients = Clients(service.port, tls=service.tls)
        async with clients.asking():
            await clients.answered(500)
            service.process.send_signal(signal.SIGTERM)
            assert await service.ended() == 0
        assert clients.failures == []
        assert set(clients.statuses) == {200}
        assert clients.refused > 0
        assert "Traceback" not in service.log


async def test_a_chain_is_sent_whole(database: TestDatabase, tmp_path: Path) -> None:
    root = issue(tmp_path, "root", authority=True)
    between = issue(tmp_path, "between", authority=True, issuer=root)
    leaf = issue(tmp_path, "leaf", issuer=between)
    both = tmp_path / "both.pem"  # certificate, chain and key in one file
    both.write_text("".join(path.read_text() for path in (leaf.certificate, between.certificate, leaf.key)))
    async with served(database, tmp_path, TLS_CERTIFICATE_FILE=str(both)) as service:
        service.tls = root.trusting()
        await service.answers()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_start_with_unusable_files_is_told_in_one_line(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    (tmp_path / "live.pem").write_text("no certificate")
    (tmp_path / "live.key").write_text("no key")
    async with served(database, tmp_path, **files(tmp_path), WORKERS=workers) as service:
        assert await service.ended() == 2
        (line,) = [line for line in service.log.splitlines() if line.startswith("error: ")]
        assert "TLS" in line
        assert "must hold a certificate in PEM" in line


async def test_a_start_with_an_expired_certificate_serves_those_who_do_not_mind(
    database: TestDatabase, tmp_path: Path
) -> None:
    install(issue(tmp_path, "expired", days=(-20, -1)), tmp_path)
    async with served(database, tmp_path, **files(tmp_path)) as service:
        service.tls = ssl._create_unverified_context()  # noqa: S323
        await service.answers()
        assert "tls_certificate_not_valid" in service.log


def test_a_key_without_a_certificate_is_a_mistake(database: TestDatabase, tmp_path: Path) -> None:
    done = command(environment(database, TLS_KEY_FILE=str(tmp_path / "live.key")), "check")
    assert done.returncode == 2
    assert "tls_key_file is given without tls_certificate_file" in done.stderr


@pytest.mark.parametrize(
    ("days", "verdict", "told"),
    [
        ((-1, 30), "ok", "localhost, 127.0.0.1, expires at"),
        ((-76, 13), "MISSING", "expires at"),
        ((-1, 5), "ok", "expires at"),
        ((-5, 1), "MISSING", "expires at"),
        ((-20, -1), "MISSING", "has expired at"),
        ((1, 20), "MISSING", "not valid yet"),
    ],
)
def test_check_tells_when_the_certificate_has_to_be_renewed(
    database: TestDatabase, tmp_path: Path, days: tuple[float, float], verdict: str, told: str
) -> None:
    install(issue(tmp_path, days=days), tmp_path)
    done = command(environment(database, **files(tmp_path)), "check")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("tls")]
    assert verdict in line
    assert told in line


async def test_status_asks_the_https_port(database: TestDatabase, tmp_path: Path) -> None:
    install(issue(tmp_path), tmp_path)
    async with served(database, tmp_path, **files(tmp_path)) as service:
        service.tls = Issued(tmp_path / "live.pem", tmp_path / "live.key").trusting()
        await service.answers()
        variables = environment(database, HTTP_PORT=str(service.port), **files(tmp_path))
        done = await asyncio.to_thread(command, variables, "status", "12342")
        assert (done.returncode, done.stderr) == (0, "")
        assert "call server  main" in done.stdout
