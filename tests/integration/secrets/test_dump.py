"""A dump of encrypted SIP passwords, restored elsewhere, by the real programs: nobody registers, and nobody calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local.asterisk_programs import Programs
from local.baresip import Phone, PhoneError
from service.cli.demo import SIP_PASSWORD
from service.db.migrate import migrate
from service.domain.secret_keys import asterisk_setting
from tests.integration.db.test_restore import AS_DOCUMENTED, dumped, new_cluster
from tests.integration.db.test_restore import run as run_program
from tests.integration.secrets.keys import KEY, with_keys
from tests.integration.secrets.test_asterisk import registers, with_asterisk_keys
from tests.integration.secrets.test_rekey import passwords
from tests.support.command_line import command
from tests.support.database import TestDatabase
from tests.support.pbx import make_pbx

FURTHER = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('main', '12342.desk', '12342', 'desk', 'first of the desk', 'sip');
update phones set secret = 'second of the desk', former_until = now() + interval '1 day' where endpoint = '12342.desk'
"""


def calls(phone: Phone) -> bool:
    """Whether Asterisk connects a call of a phone."""
    with phone:
        with contextlib.suppress(PhoneError):  # refused: it may try to call all the same
            phone.wait_registered()
        phone.dial("*43")
        try:
            phone.wait_for("CALL_ESTABLISHED", timeout_s=3)
        except PhoneError:
            return False
        return True


@pytest.fixture
async def restored(database: TestDatabase, tmp_path: Path) -> AsyncIterator[tuple[TestDatabase, dict[str, str]]]:
    """The database on another machine, without its key, and the passwords that it holds."""
    await database.execute(FURTHER)
    known = await passwords(database)
    assert len(known) == 4
    done = await asyncio.to_thread(command, with_keys(database, KEY), "secrets", "rekey", "--unchecked")
    assert done.returncode == 0, done.stderr
    dump = dumped(database).decode()
    assert [secret for secret in known.values() if secret in dump] == []
    assert KEY.name in dump
    for key in (KEY.key, KEY.derive("main")):
        assert key.hex() not in dump
    async with new_cluster(tmp_path) as fresh:
        done_ = run_program(fresh, "pg_restore", *AS_DOCUMENTED, given=dumped(database, "--format=custom"))
        assert done_.returncode == 0, done_.stderr.decode()
        await migrate(fresh.settings())
        yield fresh, known


async def test_without_the_key_nobody_registers_and_nobody_calls(
    restored: tuple[TestDatabase, dict[str, str]], tmp_path_factory: pytest.TempPathFactory, programs: Programs
) -> None:
    fresh, known = restored
    assert await passwords(fresh) == {}
    pbx = make_pbx(tmp_path_factory, fresh, programs=programs)
    with pbx.asterisk:
        for password in (SIP_PASSWORD, *known.values(), ""):
            assert not registers(pbx.phone("12342", password))
            assert not registers(pbx.phone("12342.desk", password, auth_username="desk"))
        assert not calls(pbx.phone("12342", SIP_PASSWORD))
    with with_asterisk_keys(pbx, asterisk_setting([KEY], "main")).asterisk:
        assert calls(pbx.phone("12342", SIP_PASSWORD))
        assert registers(pbx.phone("12342.desk", "first of the desk", auth_username="desk"))
