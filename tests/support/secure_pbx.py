"""A real Asterisk whose SIP phones register over TLS and encrypt their media, and what goes over the wire."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.asterisk_programs import Programs
from service.db.migrate import migrate
from tests.support.database import TestDatabase, copied
from tests.support.pbx import Pbx, make_pbx

CERTIFICATES = Path(__file__).parent / "tls"
"""A CA, a certificate of it for localhost and 127.0.0.1 with its key, and a CA that has nothing to do with it."""
CA, OTHER_CA = CERTIFICATES / "ca.pem", CERTIFICATES / "other-ca.pem"
SECURE = {"host": "127.0.0.1", "sip_transport": "tls"}
"""Settings of its call server."""
ENCRYPTED = {"RTP/SAVP"}


@pytest.fixture(scope="module")
def secure_pbx(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk with SIP over TLS only, and a database that `migrate` has told so."""
    with tempfile.TemporaryDirectory() as readable:  # by the user that Asterisk runs as
        Path(readable).chmod(0o755)
        pem = Path(shutil.copy(CERTIFICATES / "server.pem", readable))
        pem.chmod(0o644)
        database = copied(template, f"secure_{tmp_path_factory.mktemp('name').name.replace('-', '_')}".lower())
        pbx = make_pbx(tmp_path_factory, database, programs=programs, sip_certificate=pem)
        asyncio.run(migrate(pbx.settings(**SECURE)))
        with pbx.asterisk:
            pbx.asterisk.rx("pjsip set logger on")
            yield pbx


class Wire:
    """What Asterisk logs of its SIP messages from now on."""

    def __init__(self, pbx: Pbx) -> None:
        self._log = pbx.asterisk.folder / pbx.asterisk.log_name
        self._seen = self._log.stat().st_size

    @property
    def text(self) -> str:
        with self._log.open(errors="replace") as log:
            log.seek(self._seen)
            return log.read()

    def media(self) -> set[str]:
        """The media protocols of all offers and answers. Those of SRTP count only with as many keys."""
        offers = re.findall(r"^m=audio \d+ (\S+)", self.text, re.MULTILINE)
        bodies = [body for body in re.split(r"^v=0", self.text, flags=re.MULTILINE)[1:] if "m=audio" in body]
        without_key = {"no key" for body in bodies if "RTP/SAVP" in body and "a=crypto:" not in body}
        return set(offers) | without_key

    def transports(self) -> set[str]:
        """What SIP messages went over, as their Via fields say."""
        return set(re.findall(r"^Via: SIP/2\.0/(\w+)", self.text, re.MULTILINE))
