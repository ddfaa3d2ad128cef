"""`check` on Asterisks that were there before the service: green on a right set-up, and what to type on a wrong one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from service.ami.diagnostics import device_checks
from service.ami.diagnostics.checks import CheckOptions, check
from service.domain.checked_extension import CheckedExtension
from service.domain.models import Finding, Verdict
from tests.support.existing.pbx import ExistingPbx
from tests.support.existing.shape import Shape

SHAPES = ("freepbx_like", "mikopbx_like", "vanilla_like", "chan_sip_like")
UNLOADED = ("func_config", "func_curl", "func_realtime", "func_shell", "func_sorcery")
"""What docs/existing-pbx.md has an operator of FreePBX unload, `res_config_curl` first, which uses one of them."""


@pytest.fixture(params=SHAPES)
def pbx(request: pytest.FixtureRequest) -> ExistingPbx:
    found: ExistingPbx = request.getfixturevalue(request.param)
    return found


def stored(shape: Shape) -> list[CheckedExtension]:
    """What an import of everything stores: phones with a PJSIP endpoint, and the other numbers without."""
    endpoints: dict[str, list[str]] = {number: [] for number in shape.devices}
    for phone in shape.phones:
        if phone.technology == "PJSIP":
            endpoints.setdefault(phone.number, []).append(phone.endpoint)
    return [CheckedExtension(number, number, tuple(names)) for number, names in endpoints.items()]


async def findings(
    pbx: ExistingPbx,
    extensions: list[CheckedExtension] | None = None,
    options: CheckOptions | None = None,
    **values: Any,
) -> list[Finding]:
    defaults = {"credentials": "imported", "credentials_secret": pbx.shape.accounts.credentials}
    server = pbx.call_server(**{**defaults, **values})
    listed = stored(pbx.shape) if extensions is None else extensions
    return [finding async for finding in check("main", server, listed, options)]


def failing(found: list[Finding]) -> dict[str, str]:
    """What fails, with its remedy, details aside."""
    return {finding.what: finding.remedy or "" for finding in found if finding.fails and not finding.detail}


@contextlib.contextmanager
def unloaded(pbx: ExistingPbx, *modules: str) -> Iterator[None]:
    """Without these modules, which are there."""
    for module in modules:
        assert "Unloaded" in pbx.asterisk.rx(f"module unload {module}.so")
    try:
        yield
    finally:
        for module in reversed(modules):
            pbx.asterisk.rx(f"module load {module}.so")


async def test_a_right_set_up_is_green(pbx: ExistingPbx) -> None:
    gone = UNLOADED if "func_env" in pbx.asterisk.rx("module show like func_env") else ()
    options = CheckOptions(expected_endpoints=pbx.shape.endpoints)
    with unloaded(pbx, *(("res_config_curl", *gone) if gone else ())):
        found = await findings(pbx, options=options, accepted_modules=["func_env"])
    assert failing(found) == {}
    accepted = [finding.what for finding in found if finding.verdict is Verdict.ACCEPTED]
    assert accepted == (["func_env is accepted: 'monitor' can read Asterisk's environment"] if gone else [])
    told = {finding.what for finding in found}
    assert f"has {pbx.shape.endpoints} PJSIP endpoints" in told
    assert any(what.startswith(f"knows its {len(stored(pbx.shape))} extensions (") for what in told)
    assert "'credentials' may write no class but system" in told


async def test_what_is_accepted_is_one_module_and_not_the_next(freepbx_like: ExistingPbx) -> None:
    found = await findings(freepbx_like, accepted_modules=["func_env"])
    assert sorted(what.split()[0] for what in failing(found)) == sorted(UNLOADED)
    assert all("ACCEPTED_MODULES" in remedy for remedy in failing(found).values())
    everything = await findings(freepbx_like, accepted_modules=[*UNLOADED, "func_env"])
    assert failing(everything) == {}
    assert sum(finding.verdict is Verdict.ACCEPTED for finding in everything) == len(UNLOADED) + 1


async def test_a_module_that_is_accepted_and_not_there_is_not_there(vanilla_like: ExistingPbx) -> None:
    found = await findings(vanilla_like, accepted_modules=["func_env"])
    assert "func_env is not there" in {finding.what for finding in found}


async def test_fewer_endpoints_than_expected_fail(pbx: ExistingPbx) -> None:
    options = CheckOptions(expected_endpoints=pbx.shape.endpoints + 3)
    ((what, remedy),) = failing(await findings(pbx, options=options, accepted_modules=[*UNLOADED, "func_env"])).items()
    assert what == f"has {pbx.shape.endpoints} PJSIP endpoints, {pbx.shape.endpoints + 3} expected: 3 are lost"
    assert "endpoint = config,pjsip.conf,criteria=type=endpoint" in remedy


async def test_devices_of_other_technologies_are_known_and_counted(chan_sip_like: ExistingPbx) -> None:
    found = await findings(chan_sip_like)
    details = {finding.what for finding in found if finding.detail}
    assert {
        "1001 is Unavailable",
        "1001 (SIP/1002) is Unavailable",
        "1003 (SIP/1003) is Unavailable",
    } <= details
    assert any(what.startswith("1007 (IAX2/1007) is ") for what in details)
    without_hint = await findings(chan_sip_like, [CheckedExtension("1002", "1002")])
    assert list(failing(without_hint)) == ["has no device for 1 of its 1 extensions"]


async def test_what_an_import_would_add_is_named_and_does_not_fail(vanilla_like: ExistingPbx) -> None:
    some = [extension for extension in stored(vanilla_like.shape) if extension.number not in ("1005", "1100")]
    found = await findings(vanilla_like, some)
    assert failing(found) == {}
    (finding,) = (finding for finding in found if "not stored" in finding.what)
    assert finding.what == "dials 2 extensions that are not stored: 1005, 1100"
    assert finding.verdict is Verdict.OPTIONAL
    assert str(finding.remedy).endswith("extension import --call-server main --from-ami credentials")


async def test_a_number_that_rings_the_phones_of_others_is_not_missed(vanilla_like: ExistingPbx) -> None:
    some = [extension for extension in stored(vanilla_like.shape) if extension.number != "1100"]
    found = await findings(vanilla_like, some)
    assert [finding.what for finding in found if "not stored" in finding.what] == []


async def test_hints_of_another_context_are_not_missed(vanilla_like: ExistingPbx) -> None:
    found = await findings(vanilla_like, [], hint_context="elsewhere")
    assert [finding.what for finding in found if "not stored" in finding.what] == []


async def test_a_context_without_hints_is_named_with_those_that_have_some(pbx: ExistingPbx) -> None:
    found = failing(await findings(pbx, hint_context="elsewhere", accepted_modules=[*UNLOADED, "func_env"]))
    remedy = found["has no hint in elsewhere"]
    assert remedy.startswith("set CONNECTOR_CALL_SERVERS__MAIN__HINT_CONTEXT to the context of its extensions' hints;")
    assert remedy.endswith(f"hints of phones are in {pbx.shape.hint_context}")


async def test_hints_that_disagree_are_named_with_the_setting_that_chooses(vanilla_like: ExistingPbx) -> None:
    vanilla_like.asterisk.rx("dialplan add extension 1005,hint,PJSIP/1009 into elsewhere")
    try:
        told = failing(await findings(vanilla_like))
        chosen = failing(await findings(vanilla_like, hint_context="office"))
    finally:
        vanilla_like.asterisk.rx("dialplan remove extension 1005@elsewhere hint")
    remedy = "set CONNECTOR_CALL_SERVERS__MAIN__HINT_CONTEXT to the right one of elsewhere, office"
    assert told == {"has hints that disagree about the devices of 1 extensions: 1005": remedy}
    assert chosen == {}


async def test_a_prefix_stands_before_the_number_and_not_in_asterisk(vanilla_like: ExistingPbx) -> None:
    prefixed = [
        CheckedExtension(f"7{extension.number}", extension.number, extension.endpoints)
        for extension in stored(vanilla_like.shape)
    ]
    found = await findings(vanilla_like, prefixed)
    assert failing(found) == {}
    assert [finding.what for finding in found if "not stored" in finding.what] == []


async def test_an_endpoint_that_asterisk_no_longer_has_is_named_with_the_command(
    vanilla_like: ExistingPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_checks, "READS_PER_SECOND", 100_000)
    gone = CheckedExtension("1050", "1050", ("former",), frozenset({"former"}))
    told = failing(await findings(vanilla_like, [*stored(vanilla_like.shape), gone]))
    assert list(told) == ["does not know 1 of its 6 extensions", "the last import did not find 1 endpoints: former"]
    assert all("--apply --remove-gone" in remedy for remedy in told.values())
    lost = failing(await findings(vanilla_like, [gone]))
    assert list(lost) == ["does not know 1 of its 1 extensions", "the last import did not find 1 endpoints: former"]
    assert all(remedy.startswith("remove nothing: most endpoints are lost") for remedy in lost.values())


async def test_the_module_that_lists_states_is_named_where_it_is_missing(mikopbx_like: ExistingPbx) -> None:
    with unloaded(mikopbx_like, "res_manager_devicestate"):
        ((what, remedy),) = failing(await findings(mikopbx_like)).items()
    assert what.startswith("AMI refuses DeviceStateList: Invalid/unknown command")
    assert remedy == "modules.conf: load = res_manager_devicestate.so"


async def test_the_account_that_imports_is_checked(vanilla_like: ExistingPbx) -> None:
    accounts: list[tuple[dict[str, Any], str]] = [
        ({"credentials_secret": "wrong"}, "AMI refuses the account 'credentials'"),
        (
            {"credentials_username": "presence", "credentials_secret": vanilla_like.asterisk.config.presence_secret},
            "'presence' may not do what it is for",
        ),
        (
            {"credentials_username": "admin", "credentials_secret": vanilla_like.shape.accounts.admin},
            "'admin' may write more: ",
        ),
    ]
    for values, told in accounts:
        ((what, _),) = failing(await findings(vanilla_like, **values)).items()
        assert what.startswith(told)
    without = await findings(vanilla_like, credentials_secret=None)
    assert failing(without) == {}
    assert "no credentials account" in {finding.what for finding in without}
