"""What a thief would look for first: default passwords, root, ports, secrets where they do not belong."""

from __future__ import annotations

import socket

import pytest

from tests.compose.conftest import GIVEN
from tests.compose.docker import docker
from tests.compose.project import SERVERS, STEPS, Project

EVERYBODY = (*SERVERS, *STEPS, "demo")


def test_each_container_has_only_the_secrets_that_it_needs(demo: Project) -> None:
    assert {server: set(demo.secrets(server)) for server in SERVERS} == {
        "postgres": {"superuser_database", "owner_database"},
        "asterisk": {"asterisk_database", "ami_monitor", "ami_presence"},
        "service": {"service_database", "ami_monitor", "ami_presence", "bus_follower"},
    }


def test_what_is_not_given_is_random_and_what_is_given_is_used(plain: Project, demo: Project) -> None:
    ours, theirs = all_secrets(plain), all_secrets(demo)
    assert min(map(len, ours.values())) >= 40
    assert len({*ours.values(), *theirs.values()}) == 2 * len(ours)
    assert theirs["ami_presence"] == GIVEN["AMI_PRESENCE_SECRET"]
    assert theirs["asterisk_database"] == GIVEN["ASTERISK_DATABASE_PASSWORD"]


def test_no_secret_is_logged_or_told_by_docker(plain: Project) -> None:
    told = plain.logs() + docker("inspect", *(f"{plain.name}-{name}-1" for name in (*SERVERS, *STEPS)))
    assert [name for name, secret in all_secrets(plain).items() if secret in told] == []


@pytest.mark.parametrize("name", EVERYBODY)
def test_no_container_is_root_or_may_become_it(demo: Project, name: str) -> None:
    container = demo.container(name)
    assert container["Config"]["User"].split(":")[0] not in ("", "0", "root")
    host = container["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is (name != "postgres")


@pytest.mark.parametrize("name", EVERYBODY)
def test_logs_are_bounded(demo: Project, name: str) -> None:
    log = demo.container(name)["HostConfig"]["LogConfig"]
    assert log == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


def test_only_http_sip_websocket_and_rtp_are_published_and_only_on_this_machine(demo: Project) -> None:
    published = {
        f"{binding['HostPort']}/{port.split('/')[1]}": binding["HostIp"]
        for name in SERVERS
        for port, bindings in demo.container(name)["NetworkSettings"]["Ports"].items()
        for binding in bindings or ()
    }
    wanted = {f"{demo.http_port}/tcp", f"{demo.websocket_port}/tcp", f"{demo.sip_port}/udp"}
    wanted |= {f"{port}/udp" for port in demo.rtp}
    assert published == dict.fromkeys(wanted, "127.0.0.1")


def test_nobody_behind_a_published_port_speaks_ami(demo: Project) -> None:
    """AMI greets whoever connects; the others wait to be asked."""
    for port in (demo.http_port, demo.websocket_port):
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.settimeout(0.5)
            with pytest.raises(TimeoutError):
                connection.recv(1)


def all_secrets(project: Project) -> dict[str, str]:
    return {name: secret for server in SERVERS for name, secret in project.secrets(server).items()}
