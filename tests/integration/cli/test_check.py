"""`check` can fail: each of its questions, on a real Asterisk where the answer must be no."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.asterisk_programs import Programs
from service.ami.accounts import Account
from service.ami.connection import NullEvents, connect
from service.ami.diagnostics import device_checks, function_probes
from service.ami.diagnostics.checks import check
from service.domain.models import Finding, Verdict
from tests.support.database import TestDatabase, call_server, copied
from tests.support.links import SECRET, with_accounts
from tests.support.pbx import Pbx, make_pbx
from tests.support.stored import checked_extensions

MODULES = ("func_sorcery", "func_config", "func_realtime", "func_shell", "func_env", "func_curl")
ACCOUNTS = """
[everything]
secret = {secret}
permit = 127.0.0.1/32
read = all
write = all

[talker]
secret = {secret}
permit = 127.0.0.1/32
read = system,call,agent,cdr
write = reporting,call,originate

[elsewhere]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 192.0.2.1/32
read = system,call,agent
write = reporting
"""
STATIC = """
[1001]
type = endpoint
context = extensions
aors = 1001
auth = 1001-auth

[1001]
type = aor
max_contacts = 1

[1001-auth]
type = auth
username = 1001
password = the-secret-in-the-file
"""
EXTENSIONS = ("12342", "12343")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk with endpoints in PostgreSQL and in a file, as one that was there before us, and more accounts."""
    folder = tmp_path_factory.mktemp("checked")
    templates = with_accounts(folder)
    _append(templates / "manager.conf", ACCOUNTS.format(secret=SECRET))
    _append(templates / "pjsip.conf", STATIC)
    sorcery = (templates / "sorcery.conf").read_text()
    for kind in ("endpoint", "auth", "aor"):
        line = f"{kind} = realtime,"
        sorcery = sorcery.replace(line, f"{kind} = config,pjsip.conf,criteria=type={kind}\n{line}")
    (templates / "sorcery.conf").write_text(sorcery)
    database = copied(template, folder.name.replace("-", "_"))
    pbx = make_pbx(tmp_path_factory, database, templates, programs)
    with pbx.asterisk:
        yield pbx


def _append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


async def findings(pbx: Pbx, extensions: tuple[str, ...] = EXTENSIONS, **values: Any) -> list[Finding]:
    config = pbx.asterisk.config
    secrets = {"monitor_secret": config.monitor_secret, "presence_secret": config.presence_secret}
    server = call_server(**{"ami_port": config.ami_port, **secrets, **values})
    return [finding async for finding in check("main", server, checked_extensions(*extensions))]


def ill(found: list[Finding]) -> dict[str, str]:
    """What is not well, with its verdict, details aside."""
    return {finding.what: finding.verdict for finding in found if finding.remedy and not finding.detail}


def sync(pbx: Pbx) -> dict[str, Any]:
    return {"sync_secret": pbx.asterisk.config.sync_secret}


async def rx(pbx: Pbx, command: str) -> None:
    await asyncio.to_thread(pbx.asterisk.rx, command)


async def load(pbx: Pbx, module: str) -> None:
    if module == "func_curl":  # it is built on another one
        await rx(pbx, "module load res_curl.so")
    await rx(pbx, f"module load {module}.so")


async def test_all_is_well_with_the_configuration_as_it_is(checked: Pbx) -> None:
    assert ill(await findings(checked)) == {}
    assert ill(await findings(checked, **sync(checked))) == {}


@pytest.mark.parametrize("module", MODULES)
async def test_a_module_with_which_secrets_can_be_read_is_found(checked: Pbx, module: str) -> None:
    await load(checked, module)
    try:
        ((what, verdict),) = ill(await findings(checked)).items()
    finally:
        await rx(checked, f"module unload {module}.so")
    assert what.startswith(f"{module} is there: 'monitor' can read ")
    assert verdict == Verdict.TOO_MUCH


async def test_where_func_module_is_missing_a_thief_s_way_finds_them_and_what_cannot_be_known_is_said(
    checked: Pbx,
) -> None:
    await rx(checked, "module unload func_module.so")
    try:
        assert ill(await findings(checked)) == {
            "whether func_realtime is there cannot be known": Verdict.UNKNOWN,
            "whether func_shell is there cannot be known": Verdict.UNKNOWN,
            "whether func_curl is there cannot be known": Verdict.UNKNOWN,
        }
        assert ill(await findings(checked, **sync(checked))) == {}
        for module in MODULES:
            await load(checked, module)
        found = {what.split()[0] if " is there: " in what else what for what in ill(await findings(checked))}
        assert found == {*MODULES[:3], *MODULES[4:], "whether func_shell is there cannot be known"}
        assert len(ill(await findings(checked, **sync(checked)))) == len(MODULES)
    finally:
        for module in MODULES:
            await rx(checked, f"module unload {module}.so")
        await rx(checked, "module load func_module.so")


async def test_func_sorcery_is_found_by_an_endpoint_in_a_file_alone(
    checked: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function_probes, "_PROBES", {})
    config = checked.asterisk.config
    account = Account("127.0.0.1", config.ami_port, "monitor", config.monitor_secret)
    await rx(checked, "module unload func_module.so")
    await rx(checked, "module load func_sorcery.so")
    try:
        async with connect(account, NullEvents()) as connection:
            found = await function_probes.probe("", "monitor", connection, function_probes.Samples(["1001"]), None)
            assert (
                await connection.variable("AST_SORCERY(res_pjsip,auth,1001-auth,password)") == "the-secret-in-the-file"
            )
    finally:
        await rx(checked, "module unload func_sorcery.so")
        await rx(checked, "module load func_module.so")
    assert found[0].verdict is Verdict.TOO_MUCH
    assert "the-secret-in-the-file" not in str(found)


async def test_what_an_account_may_do_beyond_its_need_is_told(checked: Pbx) -> None:
    config = checked.asterisk.config
    all_of_it: dict[str, Any] = {"monitor_username": "everything", "monitor_secret": SECRET}
    ((what, verdict),) = ill(await findings(checked, **all_of_it)).items()
    assert what.startswith("'everything' may write more: ")
    assert {"agent", "call", "command", "config", "originate", "system"} <= set(what.split(": ")[1].split(", "))
    assert verdict == Verdict.TOO_MUCH
    talker: dict[str, Any] = {"monitor_username": "talker", "monitor_secret": SECRET}
    more = {"'talker' may write more: call, originate": Verdict.TOO_MUCH}
    assert ill(await findings(checked, **talker)) == more
    hears = {"'talker' may hear more: cdr": Verdict.TOO_MUCH}
    assert ill(await findings(checked, **talker, **sync(checked))) == more | hears
    others: dict[str, Any] = {"presence_username": "talker", "presence_secret": SECRET, **sync(checked)}
    assert ill(await findings(checked, **others)) == {"'talker' may write more: originate, reporting": Verdict.TOO_MUCH}
    as_sync: dict[str, Any] = {"sync_username": "everything", "sync_secret": SECRET}
    ((what, verdict),) = ill(await findings(checked, **as_sync)).items()
    assert what.startswith("'everything' may write more: ")
    assert "command" not in what
    wrong: dict[str, Any] = {"sync_username": "monitor", "sync_secret": config.monitor_secret}
    assert Verdict.MISSING in ill(await findings(checked, **wrong)).values()


async def test_what_an_account_may_not_do_is_told(checked: Pbx) -> None:
    deaf = await findings(checked, monitor_username="deaf", monitor_secret=SECRET)
    assert ill(deaf) == {"does not tell when it has booted": Verdict.MISSING}
    told = ill(await findings(checked, monitor_username="mute", monitor_secret=SECRET))
    assert told == {
        "'mute' may not do what it is for": Verdict.MISSING,
        "AMI refuses DeviceStateList: Permission denied": Verdict.MISSING,
    }
    unable: dict[str, Any] = {"presence_username": "mute", "presence_secret": SECRET}
    assert ill(await findings(checked, **unable)) == {"'mute' may not do what it is for": Verdict.MISSING}


@pytest.mark.parametrize("kind", ["monitor", "presence", "sync"])
async def test_each_account_that_is_refused_is_told_and_the_others_are_looked_at(checked: Pbx, kind: str) -> None:
    accounts: list[dict[str, Any]] = [
        {f"{kind}_secret": "wrong-secret"},
        {f"{kind}_username": "elsewhere", f"{kind}_secret": SECRET},
    ]
    for account in accounts:
        found = await findings(checked, **account)
        assert len(ill(found)) == 1
        (refused,) = (finding for finding in found if finding.fails)
        assert refused.what.startswith("AMI refuses the account '")
        assert "mend the secret" in str(refused.remedy)
        assert "wrong-secret" not in str(found)
        watched = any(finding.what.startswith("knows its 2 extensions") for finding in found)
        assert watched is (kind != "monitor")


async def test_each_extension_gets_its_verdict(checked: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_checks, "READS_PER_SECOND", 100_000)
    strange = ("zz,1)", 'a"b', "x" * 300, "line\nend")
    found = await findings(checked, (*EXTENSIONS, "1001", "99999", *strange))
    assert ill(found) == {"does not know 5 of its 8 extensions": Verdict.MISSING}
    verdicts = {finding.what: finding.verdict for finding in found if finding.detail and "events" not in finding.what}
    assert verdicts == {
        "no sync account, which equals a shell: few need one": Verdict.OK,
        **{f"{number} is Unavailable": Verdict.OK for number in (*EXTENSIONS, "1001")},
        **{f"{number} is not known": Verdict.MISSING for number in ("99999", *strange)},
    }
    nobody = await findings(checked, ("99999",))
    assert "res_pgsql.conf" in str(next(finding.remedy for finding in nobody if finding.fails))
    assert ill(await findings(checked, ())) == {}


async def test_thousands_of_extensions_are_asked_for_in_a_bounded_time(
    checked: Pbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_checks, "READ_DEADLINE", 0.5)
    found = await findings(checked, (*EXTENSIONS, *map(str, range(20_000, 40_000))))
    (told,) = ill(found)
    assert told.startswith("does not know ")
    assert sum("was not asked for" in finding.what for finding in found) > 10_000
