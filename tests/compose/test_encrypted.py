"""The project with docker-compose.tls.yml: PostgreSQL, AMI and phones over TLS, with certificates of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import ports
from local.baresip import Phone, PhoneError
from tests.compose.conftest import running
from tests.compose.project import ECHO_TEST, IN_PRIVATE, Project

TRANSPORT = {"CONNECTOR_CALL_SERVERS__MAIN__SIP_TRANSPORT": "tls"}
PASSWORD = "a password of a phone 1"
SESSIONS = (
    "select usename, bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)"
    " where client_addr is not null group by 1"
)


@pytest.fixture(scope="module")
def encrypted() -> Iterator[Project]:
    with running(Project(settings=dict(TRANSPORT), overlays=("docker-compose.tls.yml",))) as project:
        yield project


def test_every_connection_is_encrypted_and_check_says_so(encrypted: Project) -> None:
    told = encrypted.command("check")
    assert "the connection is encrypted: TLSv1.3" in told
    assert "AMI is encrypted, and Asterisk's certificate is verified" in told
    assert IN_PRIVATE not in told
    asked = f'psql --username=postgres --tuples-only --no-align --command="{SESSIONS}"'
    sessions = dict(line.split("|") for line in encrypted.inside("postgres", asked).splitlines())
    assert sessions == {"asterisk_main": "t", "connector_service": "t"}
    assert (
        "connection refused"
        in encrypted.inside("service", "bash -c 'exec 3<>/dev/tcp/asterisk/5038' 2>&1 || true").lower()
    )


def test_no_container_holds_a_key_of_another(encrypted: Project) -> None:
    servers = ("postgres", "asterisk", "service")
    held = {name: encrypted.inside(name, "ls /run/certificates").split() for name in servers}
    assert held["service"] == ["ca.pem"]
    assert held["postgres"] == held["asterisk"] == ["ca.pem", "names", "server.key", "server.pem"]
    keys = [encrypted.inside(name, "cat /run/certificates/server.key") for name in ("postgres", "asterisk")]
    assert keys[0] != keys[1]


def test_certificates_are_kept_from_start_to_start(encrypted: Project) -> None:
    made = encrypted.inside("asterisk", "cat /run/certificates/server.pem")
    assert "certificates: kept" in encrypted.compose("run", "--rm", "certificates")
    assert encrypted.inside("asterisk", "cat /run/certificates/server.pem") == made


def test_a_phone_registers_over_tls_and_is_refused_a_call_without_srtp(encrypted: Project, tmp_path: Path) -> None:
    encrypted.command("extension", "create", "1001", "--profile", "sip", "--password-stdin", stdin=PASSWORD)
    ca = tmp_path / "ca.pem"
    ca.write_text(encrypted.inside("asterisk", "cat /run/certificates/ca.pem"))
    for srtp, wanted in ((True, "CALL_ESTABLISHED"), (False, "CALL_CLOSED")):
        with Phone("1001", PASSWORD, ports.LOOPBACK, encrypted.sip_port, ca=ca, srtp=srtp) as phone:
            phone.wait_registered()
            phone.dial(ECHO_TEST)
            assert phone.wait_for("CALL_ESTABLISHED", "CALL_CLOSED").type == wanted
    with Phone("1001", PASSWORD, ports.LOOPBACK, encrypted.sip_port) as plain, pytest.raises(PhoneError):
        plain.wait_registered(5)
