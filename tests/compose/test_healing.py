"""Whatever happens to one container, all is as documented again, without anybody's help."""

from __future__ import annotations

import pytest

from tests.compose.docker import docker
from tests.compose.project import HEALED_WITHIN_S, SERVERS, Project
from tests.support.eventually import wait_until


def test_both_documented_calls_replay_with_a_registered_phone(demo: Project) -> None:
    demo.replay()


@pytest.mark.parametrize("server", SERVERS)
def test_a_restart_heals(demo: Project, server: str) -> None:
    demo.compose("restart", server)
    demo.shows("Unavailable", within_s=28)  # sooner than after a refusal: 30 s
    demo.replay()


@pytest.mark.parametrize("server", SERVERS)
def test_a_new_container_heals(demo: Project, server: str) -> None:
    before = demo.container(server)["Id"]
    demo.compose("up", "--detach", "--force-recreate", "--no-deps", server)
    assert demo.container(server)["Id"] != before
    demo.replay()


@pytest.mark.parametrize("server", SERVERS)
def test_a_crash_heals(demo: Project, server: str) -> None:
    """All processes die at once, from inside: what `docker kill` stops stays stopped, as Docker documents."""
    before = demo.container(server)["State"]["StartedAt"]
    demo.crash(server)
    wait_until(lambda: demo.container(server)["State"]["StartedAt"] != before, HEALED_WITHIN_S, f"{server} is back")
    demo.replay()


def test_a_hangup_is_harmless_and_a_crash_after_it_heals(demo: Project) -> None:
    """Docker takes any signal that it sends for a wish to stop, if the restart policy and the image let it."""
    before = {server: demo.container(server)["State"]["StartedAt"] for server in SERVERS}
    demo.compose("kill", "--signal=HUP", *SERVERS)
    demo.replay()
    assert {server: demo.container(server)["State"]["StartedAt"] for server in SERVERS} == before
    for server in SERVERS:
        demo.crash(server)
    demo.replay()


def test_a_killed_container_heals_with_the_next_up(demo: Project) -> None:
    docker("kill", "--signal=KILL", *(f"{demo.name}-{server}-1" for server in SERVERS))
    demo.compose("up", "--detach")
    demo.replay()


def test_a_reboot_heals_in_any_order(demo: Project) -> None:
    """After a reboot Docker starts containers at once, whatever they depend on; here PostgreSQL comes last."""
    names = {server: f"{demo.name}-{server}-1" for server in SERVERS}
    docker("stop", *names.values())
    docker("start", names["asterisk"], names["service"])
    assert "asterisk" not in demo.inside("asterisk", "cat /proc/[0-9]*/comm").split()
    docker("start", names["postgres"])
    demo.replay()


def test_secrets_and_data_outlive_the_containers(demo: Project) -> None:
    before = {server: demo.secrets(server) for server in SERVERS}
    demo.compose("down")
    demo.compose("up", "--detach")
    assert {server: demo.secrets(server) for server in SERVERS} == before
    demo.replay()
