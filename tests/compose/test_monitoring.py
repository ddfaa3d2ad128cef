"""The profile `monitoring`: Prometheus with the alert rules, beside the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import ports
from local.http_client import request
from tests.compose.project import Project
from tests.support.eventually import wait_until
from tests.support.prometheus import RULES

METRICS_PORT = "9100"
NOTICED_WITHIN_S = 90.0
"""Seconds until a scrape, every 15 s, and an evaluation of the rules, every 15 s, have seen it."""


class Watched:
    """A project, and its Prometheus."""

    def __init__(self, project: Project, port: int) -> None:
        self.project, self._port = project, port

    def ask(self, path: str) -> Any:
        answer = request(self._port, "GET", f"/api/v1/{path}")
        return json.loads(answer.text)["data"]

    def alerts(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"]}


@pytest.fixture(scope="module")
def watched(plain: Project) -> Iterator[Watched]:
    """The project that the other tests share, with the profile for a while."""
    port = ports.free_port()
    with plain.given(CONNECTOR_METRICS_PORT=METRICS_PORT, PROMETHEUS_PORT=str(port)):
        plain.profiles = ("monitoring",)
        try:
            plain.up()
            yield Watched(plain, port)
        finally:
            plain.compose("rm", "--stop", "--force", "--volumes", "prometheus")
            plain.profiles = ()
    plain.up()


def test_prometheus_refuses_to_start_without_a_port_for_the_metrics(plain: Project) -> None:
    plain.profiles = ("monitoring",)
    try:
        said = plain.refused("run", "--rm", "--no-deps", "--build", "prometheus")
    finally:
        plain.profiles = ()
    assert "error: the profile monitoring needs CONNECTOR_METRICS_PORT in .env" in said


def test_it_scrapes_the_service_and_has_every_rule(watched: Watched) -> None:
    def scraped() -> bool:
        found = watched.ask("query?query=connector_link_freshness%7Bfreshness%3D%22live%22%7D%3D%3D1")["result"]
        return len(found) == 1

    wait_until(scraped, NOTICED_WITHIN_S, "Prometheus has seen that the link is live")
    (group,) = watched.ask("rules")["groups"]
    assert len(group["rules"]) == RULES.read_text().count("- alert:")
    assert {rule["health"] for rule in group["rules"]} <= {"ok", "unknown"}


def test_it_notices_an_asterisk_that_is_away(watched: Watched) -> None:
    wait_until(lambda: "ConnectorCallServerNotLive" not in watched.alerts(), NOTICED_WITHIN_S, "all is well")
    watched.project.compose("stop", "--timeout=1", "asterisk")
    try:
        wait_until(lambda: "ConnectorCallServerNotLive" in watched.alerts(), NOTICED_WITHIN_S, "the alert is there")
    finally:
        watched.project.compose("start", "asterisk")


def test_nobody_else_reads_the_metrics(watched: Watched) -> None:
    """Their port is not published, and the public one does not have them."""
    published = watched.project.container("service")["NetworkSettings"]["Ports"]
    assert not published.get(f"{METRICS_PORT}/tcp")
    assert watched.project.request("GET", "/metrics").status == 404


def test_prometheus_is_confined_like_the_others_and_published_on_this_machine_only(watched: Watched) -> None:
    container = watched.project.container("prometheus")
    assert container["Config"]["User"] == "prometheus"
    host = container["HostConfig"]
    assert (host["CapDrop"], host["Privileged"], host["ReadonlyRootfs"]) == (["ALL"], False, True)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    bindings = [each for found in container["NetworkSettings"]["Ports"].values() for each in found or ()]
    assert {each["HostIp"] for each in bindings} == {"127.0.0.1"}
