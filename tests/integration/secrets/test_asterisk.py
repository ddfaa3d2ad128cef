"""Encrypted SIP passwords and a real Asterisk: the trial of `secrets rekey`, and who may register with which key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.asterisk import Asterisk
from local.asterisk_programs import Programs
from local.baresip import Phone, PhoneError
from service.cli.demo import SIP_PASSWORD
from service.domain.secret_keys import MasterKey, asterisk_setting
from tests.integration.secrets.keys import KEY, OTHER, of_asterisk
from tests.support.command_line import Done, command
from tests.support.database import TestDatabase, cloned
from tests.support.pbx import Pbx, make_pbx
from tests.support.sip_client import ask


def with_asterisk_keys(pbx: Pbx, keys: str) -> Pbx:
    """The same Asterisk, to be started with these keys."""
    asterisk = pbx.asterisk
    config = replace(asterisk.config, secrets_keys=keys)
    return Pbx(Asterisk(asterisk.folder, config, programs=asterisk._programs), pbx.database)


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk that is not started yet, and a database of its own."""
    with cloned(template) as database:
        yield make_pbx(tmp_path_factory, database, programs=programs)


async def run(pbx: Pbx, *arguments: str, keys: tuple[MasterKey, ...] = (KEY,)) -> Done:
    return await asyncio.to_thread(command, of_asterisk(pbx, *keys), *arguments)


def registers(phone: Phone) -> bool:
    """Whether Asterisk lets a phone register."""
    with phone:
        try:
            phone.wait_registered()
        except PhoneError:
            return False
        return True


async def stored(pbx: Pbx) -> list[tuple[bool, str | None]]:
    """Whether each phone's password is in plain text, and the key that encrypts it."""
    rows = await pbx.database.rows("select secret is not null as plain, sealed_with from phones order by phone_id")
    return [(row["plain"], row["sealed_with"]) for row in rows]


async def test_an_asterisk_without_the_key_loses_no_phone(fresh: Pbx) -> None:
    with fresh.asterisk:
        done = await run(fresh, "secrets", "rekey")
        assert done.returncode == 1
        assert done.stderr.startswith(
            f"error: the Asterisk of main does not see endpoint 12342 once it is encrypted with key {KEY.name}. "
            "Nothing is changed. Put the output of `secrets key main` into its pg_service.conf"
        )
        assert await stored(fresh) == [(True, None), (True, None)]
        assert registers(fresh.phone("12342", SIP_PASSWORD))


async def test_a_trial_that_was_killed_is_put_back_by_the_next_run(fresh: Pbx) -> None:
    keys = asterisk_setting([KEY], "main")
    with fresh.asterisk:
        await run(fresh, "secrets", "rekey")  # makes pgcrypto, and is refused
        connection = await fresh.database.connect()
        await connection.execute("select set_config('connector.master_keys', $1, false)", f"{KEY.name}:{KEY.key.hex()}")
        await connection.execute(
            "update phones set secret = null, sealed = sealed_secret(secret, 'main', $1), sealed_with = $1 "
            "where endpoint = '12343'",
            KEY.name,
        )
        await connection.close()
        assert (await run(fresh, "secrets", "rekey")).returncode == 1
        assert await stored(fresh) == [(True, None), (True, None)]
    with with_asterisk_keys(fresh, keys).asterisk:
        assert (await run(fresh, "secrets", "rekey")).returncode == 0
        assert await stored(fresh) == [(False, KEY.name), (False, KEY.name)]


async def test_phones_register_through_every_change_of_keys(fresh: Pbx) -> None:
    both = with_asterisk_keys(fresh, asterisk_setting([KEY, OTHER], "main"))
    with both.asterisk:
        for arguments, keys, key in (
            (["secrets", "rekey"], (KEY,), KEY.name),
            (["secrets", "rekey"], (OTHER, KEY), OTHER.name),
            (["secrets", "rekey", "--plain"], (OTHER,), None),
        ):
            done = await run(both, *arguments, keys=keys)
            assert (done.returncode, done.stderr) == (0, "")
            assert {each[1] for each in await stored(both)} == {key}
            assert registers(both.phone("12342", SIP_PASSWORD))
            assert not registers(both.phone("12342", "wrong"))
    folder = both.asterisk.folder
    logged = "".join(
        file.read_text(errors="replace") for file in folder.rglob("*") if "log" in file.name and file.is_file()
    )
    assert "Asterisk Ready" in logged
    assert [key for key in (KEY, OTHER) if key.derive("main").hex() in logged or key.key.hex() in logged] == []


async def test_a_rotation_of_keys_that_an_asterisk_has_not_heard_of_is_refused(fresh: Pbx) -> None:
    with with_asterisk_keys(fresh, asterisk_setting([KEY], "main")).asterisk:
        assert (await run(fresh, "secrets", "rekey")).returncode == 0
        done = await run(fresh, "secrets", "rekey", keys=(OTHER, KEY))
        assert done.returncode == 1
        assert f"once it is encrypted with key {OTHER.name}" in done.stderr
        assert await stored(fresh) == [(False, KEY.name), (False, KEY.name)]
        assert registers(fresh.phone("12342", SIP_PASSWORD))


@pytest.mark.parametrize("keys", ["", asterisk_setting([OTHER], "main"), asterisk_setting([KEY], "second")])
async def test_with_an_asterisk_without_the_right_key_nobody_registers_and_nobody_calls(fresh: Pbx, keys: str) -> None:
    assert (await run(fresh, "secrets", "rekey", "--unchecked")).returncode == 0
    with with_asterisk_keys(fresh, keys).asterisk as asterisk:
        for phone in ("12342", "12343"):
            assert not registers(fresh.phone(phone, SIP_PASSWORD))
            assert not registers(fresh.phone(phone, ""))
            for password in (SIP_PASSWORD, ""):
                assert await ask(asterisk.config.sip_port, phone, "INVITE", password) == 401
        assert "No objects found" in asterisk.rx("pjsip show endpoints")
