"""Prometheus's own programs, from Debian's or Ubuntu's package: the server, and promtool."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import debian, ports
from local.asterisk_programs import loader
from local.cache import cache_dir
from local.server_process import spawn
from tests.support.command_line import ROOT
from tests.support.eventually import eventually

FOLDER = ROOT / "deploy/prometheus"
RULES = FOLDER / "asterisk-connector.rules.yml"


def extracted() -> Path:
    """The package, extracted. Raises PackageError."""
    return debian.extract(["prometheus"], cache_dir() / "prometheus")


@pytest.fixture(scope="session")
def prometheus_root() -> Path:
    """The package."""
    return extracted()


def promtool(root: Path, *arguments: str | Path, given: str | None = None) -> str:
    """What promtool prints. It must succeed."""
    command = [*loader(root), root / "usr/bin/promtool", *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass
class Prometheus:
    """A running server."""

    port: int

    async def ask(self, path: str, **arguments: str) -> Any:
        """The data of a call of its API."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        answer = await asyncio.to_thread(_read, url)
        assert answer["status"] == "success", answer
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expression))["result"]
        return found

    async def alerts(self) -> dict[str, str]:
        """The state of each alert that is pending or fires."""
        alerts = (await self.ask("alerts"))["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in alerts}


def _read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
        return json.load(answer)


@contextlib.asynccontextmanager
async def scraping(root: Path, folder: Path, targets: Iterable[int], rules: Path = RULES) -> AsyncIterator[Prometheus]:
    """A Prometheus with these rules that scrapes ports of this machine, until the block ends."""
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": "asterisk-connector",
                "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in targets]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # YAML contains JSON
    port = ports.free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = spawn(
            [
                *loader(root),
                str(root / "usr/bin/prometheus"),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'series'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            death_signal=signal.SIGKILL,
            log=log,
            environment={},
            folder=folder,
        )
    server = Prometheus(port)

    async def scraped() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        with contextlib.suppress(OSError):
            return bool(await server.query('up{job="asterisk-connector"} == 1'))
        return False

    try:
        await eventually(scraped, 60, "Prometheus has scraped")
        yield server
    finally:
        process.kill()
        process.wait()
