"""Our views beside the endpoints of an existing Asterisk: as docs/existing-pbx.md has it, all of both are there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from local.baresip import Phone, PhoneError
from service.ami.diagnostics.checks import CheckOptions, check
from service.domain.models import Finding
from tests.support.database import TestDatabase, copied
from tests.support.documents import blocks
from tests.support.existing.freepbx import freepbx
from tests.support.existing.pbx import ExistingPbx, existing
from tests.support.existing.shape import Shape, own
from tests.support.stored import checked_extensions

OURS = {"12342": "my$up3erP@ssw0rd", "12343": ""}
"""The demo's extensions."""


def with_views(sorcery: str) -> Shape:
    """A FreePBX that reads our views too, by this `sorcery.conf`."""
    shape = freepbx()
    shape.files.update(own("extconfig.conf", "res_pgsql.conf", "pg_service.conf"))
    shape.files["sorcery.conf"] = sorcery
    shape.files["extensions.conf"] += beside("[extensions]")
    return shape


def beside(section: str) -> str:
    """The block of docs/existing-pbx.md that begins with this section."""
    return next(block for block in blocks("docs/existing-pbx.md", "ini") if block.startswith(section))


@pytest.fixture(scope="module")
def database(template: TestDatabase) -> TestDatabase:
    return copied(template, "views_beside")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, database: TestDatabase) -> Iterator[ExistingPbx]:
    with existing(tmp_path_factory, with_views(beside("[res_pjsip]")), database=database) as pbx:
        yield pbx


async def findings(pbx: ExistingPbx) -> list[Finding]:
    """What a managed call server's `check` finds where 1,008 endpoints were."""
    accepted = ["func_config", "func_curl", "func_env", "func_realtime", "func_shell", "func_sorcery"]
    server = pbx.call_server(accepted_modules=accepted)
    options = CheckOptions(expected_endpoints=1008)
    return [finding async for finding in check("main", server, checked_extensions(*OURS), options)]


def our_phone(pbx: ExistingPbx) -> Phone:
    return Phone("12342", OURS["12342"], "127.0.0.1", pbx.asterisk.config.sip_port)


async def test_as_documented_all_are_there_and_phones_of_both_kinds_register(both: ExistingPbx) -> None:
    assert both.endpoints() == 1008 + len(OURS)
    for phone in (both.phone("1001"), both.phone("991001"), both.phone("3001"), our_phone(both)):
        with phone:
            await asyncio.to_thread(phone.wait_registered)
    found = await findings(both)
    assert [finding.what for finding in found if finding.fails] == []
    assert "has 1010 PJSIP endpoints" in {finding.what for finding in found}


async def test_our_phone_dials_what_the_pbx_dials(both: ExistingPbx) -> None:
    with our_phone(both) as phone, both.phone("1001") as desk:
        await asyncio.to_thread(phone.wait_registered)
        await asyncio.to_thread(desk.wait_registered)
        phone.dial("1001")
        await asyncio.to_thread(desk.wait_for, "CALL_INCOMING")


async def test_by_our_own_sorcery_1008_become_3_and_check_fails(
    tmp_path_factory: pytest.TempPathFactory, database: TestDatabase
) -> None:
    realtime_only = own("sorcery.conf")["sorcery.conf"]
    assert re.search(r"^endpoint = realtime,ps_endpoints$", realtime_only, re.MULTILINE)
    with existing(tmp_path_factory, with_views(realtime_only), database=database) as pbx:
        assert pbx.endpoints() == 3
        with pbx.phone("1001") as phone, pytest.raises(PhoneError):
            await asyncio.to_thread(phone.wait_registered)
        failed = [finding for finding in await findings(pbx) if finding.fails]
    (lost,) = failed
    assert lost.what == "has 3 PJSIP endpoints, 1008 expected: 1005 are lost"
    assert "criteria=type=endpoint" in str(lost.remedy)
