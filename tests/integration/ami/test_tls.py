"""AMI over TLS, with a CA of one's own: a real Asterisk with a certificate, and a service that believes it or not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import ports
from local.asterisk_programs import TEMPLATES, Programs
from service.ami import connection
from service.ami.accounts import Account
from service.ami.diagnostics.checks import check
from service.ami.unreachable_reasons import UnreachableReason
from service.errors import ConfigurationError
from service.settings import Settings
from tests.support.database import TestDatabase, call_server, copied
from tests.support.eventually import eventually
from tests.support.pbx import Pbx, make_pbx
from tests.support.server import Start

CERTIFICATES = Path(__file__).parents[2] / "support/tls"
"""A CA, a certificate of it for localhost and 127.0.0.1 with its key, and a CA that has nothing to do with it."""


@dataclass(frozen=True)
class TlsPbx:
    pbx: Pbx
    port: int

    def settings(self, ca: str, **values: Any) -> Settings:
        secret = self.pbx.asterisk.config.monitor_secret
        server = call_server(
            **{
                "ami_port": self.port,
                "monitor_secret": secret,
                "ami_tls": True,
                "ami_ca_file": CERTIFICATES / ca,
                **values,
            }
        )
        return self.pbx.database.settings(call_servers={"main": server})


@pytest.fixture(scope="module")
def tls_pbx(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[TlsPbx]:
    """An Asterisk whose AMI speaks TLS on a second port."""
    port = ports.free_port()
    folder = tmp_path_factory.mktemp("tls")
    shutil.copytree(TEMPLATES / "etc", folder / "etc")
    with tempfile.TemporaryDirectory() as readable:  # by the user that Asterisk runs as
        Path(readable).chmod(0o755)
        pem = shutil.copy(CERTIFICATES / "server.pem", readable)
        Path(pem).chmod(0o644)
        tls = (
            f"[general]\ntlsenable = yes\ntlsbindaddr = 127.0.0.1:{port}\ntlscertfile = {pem}\ntlsprivatekey = {pem}\n"
        )
        conf = folder / "etc/manager.conf"
        conf.write_text(conf.read_text().replace("[general]\n", tls, 1))
        database = copied(template, folder.name.replace("-", "_"))
        pbx = make_pbx(tmp_path_factory, database, folder / "etc", programs)
        with pbx.asterisk:
            yield TlsPbx(pbx, port)


async def test_a_certificate_of_our_ca_is_believed(tls_pbx: TlsPbx, start: Start) -> None:
    server = await start(tls_pbx.settings("ca.pem"))
    await server.shows("Unavailable")
    named = await start(tls_pbx.settings("ca.pem", ami_host="localhost"))
    await named.shows("Unavailable")


async def test_a_certificate_of_another_ca_is_not(tls_pbx: TlsPbx, start: Start) -> None:
    server = await start(tls_pbx.settings("other-ca.pem"))

    async def told() -> bool:
        return "certificate" in (server.link.facts.why_ended or "").lower()

    await eventually(told)
    assert await server.state() == "Unknown ?"
    assert not server.link.facts.refused


async def test_plain_ami_on_a_tls_port_never_gets_live(tls_pbx: TlsPbx, start: Start) -> None:
    server = await start(tls_pbx.settings("ca.pem", ami_tls=False, ami_ca_file=None))
    await eventually(lambda: server.link.facts.failures)
    assert await server.state() == "Unknown ?"


@pytest.mark.parametrize("ca", ["not-there.pem", "../tls/../../__init__.py"])
def test_a_ca_that_cannot_be_read_is_told_in_one_line(ca: str) -> None:
    server = call_server(ami_tls=True, ami_ca_file=CERTIFICATES / ca)
    with pytest.raises(ConfigurationError, match="ami_ca_file"):
        Account.monitor(server)


async def test_check_tells_a_certificate_that_is_not_believed_from_a_port_that_speaks_tls_only(
    tls_pbx: TlsPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_DEADLINE", 3.0)
    for values, reason in (
        ({"ca": "other-ca.pem"}, UnreachableReason.CERTIFICATE),
        ({"ca": "ca.pem", "ami_tls": False, "ami_ca_file": None}, UnreachableReason.SILENT),
    ):
        server = tls_pbx.settings(**values).call_servers["main"]
        remedies = [finding.remedy async for finding in check("main", server, ())]
        assert list(filter(None, remedies)) == [reason.value], values
