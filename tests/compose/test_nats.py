"""The profile `nats`: two collectors have the AMI sessions, and the service follows them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.http_client import request
from tests.compose.docker import docker
from tests.compose.project import Project
from tests.support.eventually import wait_until

FOLLOWER = {
    "CONNECTOR_BUS_URL": "nats://follower@nats",
    "CONNECTOR_BUS_ROLE": "follower",
    "CONNECTOR_BUS_PASSWORD_FILE": "/run/secrets/bus_follower",
}
LIVE_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def wide(plain: Project) -> Iterator[Project]:
    """The project that the other tests share, with the profile and the lines of .env.example for a while."""
    with plain.given(**FOLLOWER):
        plain.profiles = ("nats",)
        try:
            plain.up()
            yield plain
        finally:
            plain.compose("rm", "--stop", "--force", "--volumes", "nats", "collector")
            plain.profiles = ()
    plain.up()


def is_ready(project: Project) -> bool:
    answer = request(project.http_port, "GET", "/readyz")
    return answer.status == 200 and json.loads(answer.text)["status"] == "ready"


def sessions(project: Project) -> int:
    """The sessions of the account `monitor` at Asterisk."""
    return project.inside("asterisk", "asterisk -rx 'manager show connected'").count("monitor")


def test_the_collectors_alone_have_sessions_and_the_service_is_live(wide: Project) -> None:
    wait_until(lambda: is_ready(wide), LIVE_WITHIN_S, "the follower is live")
    wait_until(lambda: sessions(wide) == 2, LIVE_WITHIN_S, "two sessions at Asterisk")


def test_the_followers_user_may_do_what_it_must_and_no_more(wide: Project) -> None:
    said = wide.command("check")
    assert "the user may do what a follower does" in said
    assert "may also" not in said
    assert "bus_collector" not in wide.inside("service", "ls /run/secrets")
    assert "bus_follower" not in wide.inside("collector", "ls /run/secrets")


def test_one_collector_is_killed_and_nothing_is_unknown(wide: Project) -> None:
    wait_until(lambda: is_ready(wide), LIVE_WITHIN_S, "the follower is live")
    docker("kill", f"{wide.name}-collector-1")
    asked = [is_ready(wide) for _ in range(200)]
    assert all(asked)
    docker("start", f"{wide.name}-collector-1")


def test_a_settings_mistake_stops_before_anything_starts(wide: Project) -> None:
    said = wide.refused("run", "--rm", "settings", CONNECTOR_BUS_ROLE="leader")
    assert "CONNECTOR_BUS_ROLE: Input should be 'collector' or 'follower'" in said
