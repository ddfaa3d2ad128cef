"""What an operator changes in `.env` of a project that runs: it takes effect, or is refused, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from local import demo_data
from tests.compose.docker import docker
from tests.compose.project import DEMO_ADMIN, HEALED_WITHIN_S, IN_PRIVATE, SERVERS, Project
from tests.support.eventually import wait_until

EAST = """
CONNECTOR_CALL_SERVERS__EAST__HOST=east.example.com
CONNECTOR_CALL_SERVERS__EAST__AMI_HOST=east
CONNECTOR_CALL_SERVERS__EAST__MONITOR_SECRET=of-the-account-of-east
CONNECTOR_CALL_SERVERS__EAST__PRESENCE_SECRET=of-the-other-account-of-east
CONNECTOR_CALL_SERVERS__EAST__DATABASE_ROLE=asterisk_east
CONNECTOR_CALL_SERVERS__EAST__DATABASE_PASSWORD=the-password-of-east
"""


EAST_ASTERISK = {
    "DB_USER": "asterisk_east",
    "DB_PASSWORD": "the-password-of-east",
    "MONITOR_SECRET": "of-the-account-of-east",
    "PRESENCE_SECRET": "of-the-other-account-of-east",
}


def new_secrets() -> dict[str, str]:
    databases = ("SUPERUSER", "OWNER", "SERVICE", "ASTERISK")
    accounts = ("AMI_MONITOR_SECRET", "AMI_PRESENCE_SECRET", "AMI_SYNC_SECRET")
    names = (*(f"{one}_DATABASE_PASSWORD" for one in databases), *accounts, "BUS_FOLLOWER_PASSWORD")
    return {name: secrets.token_urlsafe(12) for name in names}


def test_every_secret_can_be_changed_and_the_last_one_stays_when_its_line_is_taken_out(demo: Project) -> None:
    before = demo.container("postgres")["State"]["StartedAt"]
    given = new_secrets()
    with demo.given(**given):
        demo.compose("up", "--detach")
        demo.replay()
        told = {
            f"{name}_{'SECRET' if 'ami' in name else 'PASSWORD'}".upper(): value for name, value in held(demo).items()
        }
        assert told == given
        for role in ("superuser", "owner"):
            assert logs_in(demo, role, given[f"{role.upper()}_DATABASE_PASSWORD"])
        assert demo.secrets("service")["ami_sync"] == given["AMI_SYNC_SECRET"]
        [account] = [line for line in demo.command("check").splitlines() if "sync" in line]
        assert " ok " in account
    assert demo.container("postgres")["State"]["StartedAt"] == before
    with demo.given(OWNER_DATABASE_PASSWORD="another-password-of-the-owner"):
        demo.compose("up", "--detach", "--force-recreate")
        demo.replay()
    demo.compose("up", "--detach")
    demo.replay()
    left = held(demo)
    assert "ami_sync" not in left
    assert left["owner_database"] == "another-password-of-the-owner"
    assert left["service_database"] == given["SERVICE_DATABASE_PASSWORD"]
    assert logs_in(demo, "owner", "another-password-of-the-owner")


def test_a_secret_that_cannot_serve_is_refused_and_loses_nothing(demo: Project) -> None:
    before = held(demo)
    given = {"SERVICE_DATABASE_PASSWORD": "another-good-one", "OWNER_DATABASE_PASSWORD": "short"}
    assert "at least 12 characters" in demo.refused("run", "--rm", "secrets", "--check", **given)
    assert demo.ready()
    assert "didn't complete successfully" in demo.refused("up", "--detach", "--force-recreate", **given)
    demo.compose("up", "--detach")
    demo.replay()
    assert held(demo) == before


def test_volumes_of_secrets_that_are_lost_are_made_anew(demo: Project) -> None:
    """As when a machine got back only the database's volume: with it alone everything works again."""
    before = held(demo)
    demo.compose("down")
    holders = ("postgres", "migrate", "service", "collector", "nats", "asterisk")
    docker("volume", "rm", *(f"{demo.name}_secrets-{name}" for name in holders))
    demo.compose("up", "--detach")
    demo.replay()
    now = held(demo)
    assert [
        name for name in now if now[name] == before[name] and name not in ("ami_presence", "asterisk_database")
    ] == []


def test_settings_and_a_second_call_server_reach_the_service(demo: Project, tmp_path: Path) -> None:
    (tmp_path / "more.env").write_text(EAST)
    settings = {
        "CALL_SERVERS_FILE": str(tmp_path / "more.env"),
        "CONNECTOR_CORS_ORIGINS": '["https://phone.example.com"]',
        "CONNECTOR_METRICS_PORT": "9100",
        "CONNECTOR_POLL_INTERVAL": "7",
        "CONNECTOR_ROCKETCHAT_STATES": "true",
    }
    with demo.given(**settings), east(demo):
        demo.compose("up", "--detach")
        demo.command("extension", "create", "30001", "--call-server", "east")
        wait_until(demo.ready, HEALED_WITHIN_S, "both call servers are live")
        told = demo.command("check")
        about = [line for line in told.splitlines() if "asterisk east" in line and IN_PRIVATE not in line]
        assert [line for line in about if " ok " not in line] == []
        assert "call server east reads as role asterisk_east" in told
        assert "30001" in docker("exec", f"{demo.name}-east", "asterisk", "-rx", "pjsip show endpoints")
        path = f"{demo_data.REGISTRATION_PATH}?id={demo_data.AGENT_UID}"
        answer = demo.request("GET", path, headers={**DEMO_ADMIN, "Origin": "https://phone.example.com"})
        assert answer.headers["x-poll-interval"] == "7"
        assert answer.headers["access-control-allow-origin"] == "https://phone.example.com"
        assert json.loads(answer.text)["extensionDetails"]["state"] == "unregistered"
        assert demo.request("GET", "/metrics").status == 404
        demo.command("extension", "delete", "30001")
    demo.compose("up", "--detach")
    demo.replay()


@contextlib.contextmanager
def east(project: Project) -> Iterator[None]:
    """A second Asterisk, of the same image, which waits for its role in PostgreSQL as the first one does."""
    name = f"{project.name}-east"
    variables = [f"--env={name}={value}" for name, value in EAST_ASTERISK.items()]
    network = (f"--network={project.name}_default", "--network-alias=east")
    docker("run", "--detach", f"--name={name}", *network, *variables, "--restart=always", f"{project.name}-asterisk")
    try:
        yield
    finally:
        docker("rm", "--force", "--volumes", name)


def test_what_would_be_ignored_is_refused_before_anything_stops(demo: Project, tmp_path: Path) -> None:
    before = [demo.container(server)["State"]["StartedAt"] for server in SERVERS]
    (tmp_path / "env").write_text(
        "CONNECTOR_WORKRES=2\nCONNECTOR_CALL_SERVERS__EAST__HOST=h\nCONNECTOR_HTTP_PORT=9000\n"
    )
    settings = {"COMPOSE_ENV_FILES": str(tmp_path / "env"), "CONNECTOR_HTTP_PORT": "9000"}
    for command in (("run", "--rm", "settings"), ("up", "--detach")):
        refusal = demo.refused(*command, **settings)
        assert command[0] == "up" or all(
            f"CONNECTOR_{name}: " in refusal for name in ("WORKRES", "CALL_SERVERS__EAST__HOST", "HTTP_PORT")
        )
    assert [demo.container(server)["State"]["StartedAt"] for server in SERVERS] == before
    demo.compose("up", "--detach")


def test_a_demo_that_is_there_keeps_the_project_from_being_published(demo: Project) -> None:
    assert "names 0.0.0.0" in demo.refused("run", "--rm", "--no-deps", "migrate", PHONE_BIND="0.0.0.0")
    demo.profiles = ()  # as who tries the demo first, and goes on without it
    refusal = demo.refused("up", "--detach", HTTP_BIND="0.0.0.0")
    assert 'service "migrate" didn\'t complete successfully' in refusal
    assert "CONNECTOR_PUBLISHED_ON names 0.0.0.0" in demo.compose("logs", "migrate")
    docker("start", f"{demo.name}-service-1")
    wait_until(lambda: demo.container("service")["RestartCount"] > 0, HEALED_WITHIN_S, "the service ends by itself")
    demo.profiles = ("demo",)
    demo.compose("up", "--detach")
    demo.replay()


def test_the_network_has_the_subnet_that_was_asked_for(demo: Project) -> None:
    """So that the gateway, which `.env` names as the proxy that is trusted, stays what it is."""
    told = docker("network", "inspect", f"{demo.name}_default", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    assert told.strip() == demo.subnet


def held(project: Project) -> dict[str, str]:
    return {name: secret for server in SERVERS for name, secret in project.secrets(server).items()}


def logs_in(project: Project, role: str, password: str) -> bool:
    """Over the container's own address, where PostgreSQL asks for the password."""
    user = "postgres" if role == "superuser" else f"connector_{role}"
    query = f'PGPASSWORD={password} psql --host="$(hostname -i)" --username={user} --dbname=connector -Atc "select 1"'
    return project.inside("postgres", query).strip() == "1"
