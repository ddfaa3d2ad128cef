"""The Grafana board: each of its queries gives series in a Prometheus that scrapes a running service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from service.bus.report import Bus, CollectorReport, FollowerReport
from service.domain.device_states import Freshness
from service.web.ops.bus_metrics import BusCollector
from tests.support.command_line import ROOT
from tests.support.eventually import eventually
from tests.support.prometheus import Prometheus, scraping
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server

BOARD = json.loads((ROOT / "deploy/grafana/asterisk-connector.json").read_text())


BUS = "connector_bus_"


def queries() -> Iterator[tuple[str, str]]:
    """Title of the panel and expression of each query."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


async def test_each_query_of_the_board_gives_series(phoned: Server, tmp_path: Path, prometheus_root: Path) -> None:
    async with scraping(prometheus_root, tmp_path, [phoned.port]) as prometheus:
        for title, expression in queries():
            if BUS in expression:
                continue

            async def found(query: str = expression) -> bool:
                await _ask(phoned)
                return await _has_numbers(prometheus, query.replace("$__rate_interval", "1m"))

            await eventually(found, what=f"{title}: {expression}")


async def test_each_query_about_the_bus_gives_series(tmp_path: Path, prometheus_root: Path) -> None:
    """Beside a process that hears two collectors; the service above has no bus."""
    heard = tuple(CollectorReport(name, Freshness.LIVE, name == "a", True, 2, 0.5, None) for name in ("a", "b"))
    bus = Bus("follower", lambda: True, {"main": lambda: FollowerReport("a", heard, 0, 2, 0, 0, 0.0)})
    registry = CollectorRegistry()
    registry.register(BusCollector(bus))

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with scraping(prometheus_root, tmp_path, [runner.addresses[0][1]]) as prometheus:
            asked = [(title, expression) for title, expression in queries() if BUS in expression]
            assert len(asked) == 5
            for title, expression in asked:

                async def found(query: str = expression) -> bool:
                    return await _has_numbers(prometheus, query)

                await eventually(found, what=f"{title}: {expression}")
    finally:
        await runner.cleanup()


async def test_the_board_shows_the_phone_that_is_registered(
    phoned: Server, tmp_path: Path, prometheus_root: Path
) -> None:
    async with scraping(prometheus_root, tmp_path, [phoned.port]) as prometheus:
        (expression,) = [query for title, query in queries() if title == "Registered extensions"]

        async def counts() -> dict[str, str]:
            series = await prometheus.query(expression)
            return {each["metric"]["registered"]: each["value"][1] for each in series if each["value"][1] != "0"}

        async def one() -> bool:
            return await counts() == {"yes": "1", "no": "1"}

        await eventually(one, what="one extension is registered, one is not")


def test_the_board_is_whole() -> None:
    """Panels have ids and places of their own, and each query takes the board's data source."""
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
            labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
            assert all(label in target["expr"] for label in labels if label not in ("instance", "call_server")), target


async def _ask(server: Server) -> None:
    """Requests of each kind: polls with a tag, a read that waits, a token that is refused."""
    params = {"id": AGENT_UID}
    first = await server.client.get(REGISTRATION, params=params, headers=ADMIN)
    tag = {"If-None-Match": first.headers["ETag"]}
    assert (await server.client.get(REGISTRATION, params=params, headers=ADMIN | tag)).status == 304
    assert (await server.client.get("/user/1795", headers=ADMIN)).status == 200
    assert (await server.client.get("/user/1795", headers={"X-Auth-Token": "x" * 43})).status == 401


async def _has_numbers(prometheus: Prometheus, expression: str) -> bool:
    series: list[dict[str, Any]] = await prometheus.query(expression)
    return any(each["value"][1] != "NaN" for each in series)
