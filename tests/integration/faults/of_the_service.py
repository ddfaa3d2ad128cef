"""Faults of the service's own processes, settings, certificate and clock."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from local import debian, ports
from local.cache import cache_dir
from tests.integration.faults.scene import Cause, Scene, fault, in_environment, nothing
from tests.support.certificates import issue
from tests.support.eventually import eventually
from tests.support.raw import raw, request
from tests.support.served import POLL


@fault(
    "the service ends",
    "ConnectorDown",
    "service_stopping",
    "curl --fail http://127.0.0.1:8080/livez",
    "Failed to connect",
)
async def ended(scene: Scene) -> Cause:
    service = await scene.start()

    async def end() -> None:
        service.process.send_signal(signal.SIGTERM)

    return end


@fault(
    "a worker dies",
    "ConnectorWorkerRestarted",
    "worker_restarting",
    "curl --fail http://127.0.0.1:8080/metrics",
    'connector_worker_restarts_total{worker="',
)
async def dead_worker(scene: Scene) -> Cause:
    service = await scene.start(WORKERS="2")
    await service.has_up(2)
    killed: list[int] = []

    async def kill() -> None:
        if not killed:
            killed.append(min(service.workers()))
            with contextlib.suppress(ProcessLookupError):
                os.kill(killed[0], signal.SIGKILL)

    return kill


@fault(
    "the settings lack a call server",
    "ConnectorCallServerNotInSettings",
    "unknown_call_servers",
    "python -m service check",
    "call server west, with 1 extensions, is not in the settings",
)
async def unknown_call_server(scene: Scene) -> Cause:
    await scene.database.execute("insert into call_servers (name) values ('west')")
    await scene.database.execute(
        "insert into extensions (extension, secret, call_server) values ('900', 'a-secret-of-900', 'west')"
    )
    await scene.start()
    return nothing


@fault(
    "the certificate has expired",
    "ConnectorCertificateExpires",
    "tls_certificate_not_valid",
    "curl --fail http://127.0.0.1:8080/metrics",
    "connector_tls_certificate_expiry_timestamp_seconds",
)
async def expired_certificate(scene: Scene) -> Cause:
    issued = issue(scene.folder, days=(-30, -1))
    metrics_port = ports.free_port()
    service = await scene.start(
        TLS_CERTIFICATE_FILE=str(issued.certificate), TLS_KEY_FILE=str(issued.key), METRICS_PORT=str(metrics_port)
    )
    service.metrics_port = metrics_port

    async def there() -> bool:
        with contextlib.suppress(OSError):
            return (await raw(metrics_port, request("/readyz"))).status == 200
        return False

    await eventually(there, 60, "the port of the metrics answers")
    return nothing


@fault(
    "the clock jumps",
    "ConnectorClockDiffers",
    "",
    "date --utc",
    "2040",
)
async def jumped_clock(scene: Scene) -> Cause:
    offset = scene.folder / "offset"
    offset.write_text("+0")
    variables = {
        "LD_PRELOAD": str(faketime()),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    scene.environment = variables
    with in_environment(variables):
        service = await scene.start()
    assert await service.poll() == 200

    async def jump() -> None:
        offset.write_text("@2040-01-01 00:00:00")
        answer = await service.ask(POLL)
        assert "x-directory-stale-since" not in answer.headers

    return jump


def faketime() -> Path:
    """The library that moves a process's clock: no test may move the machine's."""
    root = debian.extract(["libfaketime"], cache_dir() / "faketime")
    return next(root.glob("usr/lib/*/faketime/libfaketimeMT.so.1"))
