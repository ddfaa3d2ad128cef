"""What stands in Asterisk's log with everything on, while a phone and the service log in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.asterisk_config import FOLDERS
from local.asterisk_programs import Programs
from local.baresip import PhoneError
from service.cli.demo import SIP_PASSWORD
from service.domain.secret_keys import asterisk_setting
from tests.support.database import TestDatabase, copied
from tests.support.pbx import Pbx, make_pbx
from tests.support.server import serving
from tests.support.worked_cluster import KEY, enable_key

EVERYTHING_ON = (
    "logger add channel everything debug,verbose,notice,warning,error",
    "core set debug 10",
    "core set verbose 10",
    "pjsip set logger on",
    "manager set debug on",
)


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk with a key for SIP passwords, which are encrypted."""
    database = copied(template, f"logged_in_full_{programs.version.split()[1].partition('.')[0]}")
    made = make_pbx(tmp_path_factory, database, programs=programs)
    keys = asterisk_setting([KEY], "main")
    made.asterisk.config = replace(made.asterisk.config, secrets_keys=keys)
    asyncio.run(enable_key(made.settings(secrets_key=KEY.key.hex())))
    with made.asterisk:
        yield made


@pytest.fixture(scope="module")
async def log(pbx: Pbx) -> str:
    """The log of a registration, a wrong password, and a service that sets presence."""
    for command in EVERYTHING_ON:
        await asyncio.to_thread(pbx.asterisk.rx, command)
    async with serving(pbx.settings(secrets_key=KEY.key.hex())) as server:
        phone, wrong = pbx.phone("12342", SIP_PASSWORD), pbx.phone("12343", "a wrong SIP password")
        for each, outcome in ((phone, contextlib.nullcontext()), (wrong, pytest.raises(PhoneError, match="refused"))):
            await asyncio.to_thread(each.start)
            try:
                with outcome:
                    await asyncio.to_thread(each.wait_registered)
            finally:
                await asyncio.to_thread(each.stop)
        own = await server.headers_of()
        await server.client.put("/api/v1/presence", json={"presence": "away"}, headers=own)
    return await asyncio.to_thread(_everything, pbx)


def _everything(pbx: Pbx) -> str:
    assert pbx.asterisk._home is not None
    return (Path(pbx.asterisk._home) / FOLDERS["LOG_DIR"] / "everything").read_text(errors="replace")


def test_nothing_that_asterisk_logs_is_a_secret(pbx: Pbx, log: str) -> None:
    config = pbx.asterisk.config
    secrets = {
        "SIP password": SIP_PASSWORD,
        "wrong SIP password": "a wrong SIP password",
        "monitor": config.monitor_secret,
        "presence": config.presence_secret,
        "database": config.database.password,
        "derived key": KEY.derive("main").hex(),
    }
    assert "FROM ps_auths WHERE id = '12342'" in log, "it logs what it asks PostgreSQL"
    assert "Authorization: Digest" in log, "it logs what the phone sends"
    assert "Running action 'Login'" in log, "it logs what the service sends"
    assert [name for name, secret in secrets.items() if secret in log] == []


def test_what_the_phone_sends_lets_a_weak_password_be_guessed(log: str) -> None:
    """The page says so: nonce, realm and response are all that a guess needs. So it is on the network without TLS."""
    assert 'response="' in log
    assert 'nonce="' in log
