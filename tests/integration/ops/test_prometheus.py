"""Metrics and alert rules, as Prometheus's own programs see them."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from service.domain.models import DeviceState
from service.web.app_keys import PRESENCE_FEED
from service.web.ops.metrics import METRICS
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.prometheus import FOLDER, RULES, promtool, scraping
from tests.support.served import served
from tests.support.server import ADMIN, REGISTRATION, Server, Start

PEOPLE = """
    insert into extensions (extension, secret, call_server)
    select number::text, 'secret-of-' || number, 'main' from generate_series(100001, 120000) as number
"""


def test_every_alert_fires_when_it_should_and_is_silent_before(prometheus_root: Path) -> None:
    assert "SUCCESS" in promtool(prometheus_root, "check", "rules", RULES)
    assert "SUCCESS" in promtool(prometheus_root, "test", "rules", FOLDER / "asterisk-connector.test.yml")


async def test_the_metrics_follow_prometheus_conventions(prometheus_root: Path, shared: Server) -> None:
    """promtool prints each violation."""
    await shared.client.get(REGISTRATION, headers=ADMIN)
    text = (await shared.app[METRICS].exposition()).decode()
    assert promtool(prometheus_root, "check", "metrics", given=text) == ""


async def test_the_number_of_series_does_not_grow_with_the_extensions(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings())
    few = await _series(server)
    await database.execute(PEOPLE)
    feed = server.app[PRESENCE_FEED]
    await eventually(lambda: len(feed) > 20_000, within=60, what="all extensions are in the feed")
    async with server.client.get("/metrics") as answer:
        text = await answer.text()
    assert 'connector_extensions{call_server="main",registered="unknown",state="Unknown"} 20002.0' in text
    assert await _series(server) - few == set()
    assert len(few) < 400
    assert len(DeviceState) * 3 < 40  # the most that `connector_extensions` can have for a call server


async def _series(server: Server) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    text = (await server.app[METRICS].exposition()).decode()
    return {
        (sample.name, frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("route") != "/metrics"
    }


async def test_prometheus_raises_the_alert_of_an_asterisk_that_is_away(
    database: TestDatabase, tmp_path: Path, prometheus_root: Path
) -> None:
    async with served(database, tmp_path) as service:
        await service.answers()
        async with scraping(prometheus_root, tmp_path, [service.port]) as prometheus:

            async def raised() -> bool:
                return (await prometheus.alerts()).get("ConnectorCallServerNotLive") == "pending"

            await eventually(raised, what="the alert is pending for its minute")
            assert "ConnectorDown" not in await prometheus.alerts()
