"""A managed and an imported call server in one service: what is promised of each holds beside the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from local.baresip import Phone
from service.ami.diagnostics.checks import check
from service.db.migrate import migrate
from service.domain.models import Finding
from service.settings import Settings
from tests.support.command_line import Done, environment, in_this_process
from tests.support.existing.pbx import ExistingPbx
from tests.support.pbx import Pbx
from tests.support.server import ADMIN_UID, AGENT_UID, Server, Start
from tests.support.stored import checked_extensions

Run = Callable[..., Done]


def settings_of(pbx: Pbx, branch: ExistingPbx) -> Settings:
    """`main` is our own Asterisk with the demo's extensions, `branch` owns its endpoints."""
    main = pbx.settings(host="127.0.0.1").call_servers["main"]
    imported = branch.call_server(credentials="imported", database_role=None, database_password=None)
    return pbx.database.settings(call_servers={"main": main, "branch": imported})


@pytest.fixture
def run(
    pbx: Pbx, vanilla_like: ExistingPbx, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command with both call servers."""
    main, branch = pbx.asterisk.config, vanilla_like.asterisk.config
    given = {
        "CALL_SERVERS__MAIN__AMI_PORT": str(main.ami_port),
        "CALL_SERVERS__MAIN__MONITOR_SECRET": main.monitor_secret,
        "CALL_SERVERS__BRANCH__HOST": "branch.example.com",
        "CALL_SERVERS__BRANCH__AMI_HOST": "127.0.0.1",
        "CALL_SERVERS__BRANCH__AMI_PORT": str(branch.ami_port),
        "CALL_SERVERS__BRANCH__MONITOR_SECRET": branch.monitor_secret,
        "CALL_SERVERS__BRANCH__CREDENTIALS": "imported",
    }

    def run(*arguments: str, stdin: str = "") -> Done:
        return in_this_process(
            monkeypatch, capsys, environment(pbx.database, **given), *arguments, given=f"{stdin}\n".encode()
        )

    return run


@pytest.fixture
async def both(pbx: Pbx, vanilla_like: ExistingPbx, run: Run, start: Start) -> Server:
    """A service in front of both, after an import; the demo's admin has alice's number."""
    settings = settings_of(pbx, vanilla_like)
    await migrate(settings)
    secret = vanilla_like.shape.accounts.credentials
    arguments = ("extension", "import", "--call-server", "branch", "--from-ami", "credentials", "--apply")
    done = await asyncio.to_thread(lambda: run(*arguments, stdin=secret))
    assert done.returncode == 0, done.stderr
    await pbx.database.execute("update extensions set user_id = null where user_id = 1")
    await pbx.database.execute("update extensions set user_id = 1 where extension = '1005'")
    return await start(settings)


async def answered(server: Server, uid: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(await (await server.registration(uid)).text())
    details: dict[str, Any] = answer["extensionDetails"]
    return details


def phone(details: dict[str, Any], port: int) -> Phone:
    """A phone that has what the endpoint answered, and nothing else."""
    name = details.get("authUsername", details["extension"])
    return Phone(details["extension"], details["password"], "127.0.0.1", port, auth_username=name)


async def test_phones_of_both_register_with_what_the_endpoint_answered(
    both: Server, pbx: Pbx, vanilla_like: ExistingPbx
) -> None:
    await both.shows("Unavailable")
    await both.shows("Unavailable", ADMIN_UID)
    managed, imported = await answered(both, AGENT_UID), await answered(both, ADMIN_UID)
    assert (managed["extension"], "authUsername" in managed) == ("12342", False)
    assert (imported["extension"], imported["authUsername"]) == ("alice", "alice-login")
    with phone(managed, pbx.asterisk.config.sip_port) as ours:
        await asyncio.to_thread(ours.wait_registered)
        await both.shows("Not in use")
        assert await both.state(ADMIN_UID) == "Unavailable"
        with phone(imported, vanilla_like.asterisk.config.sip_port) as theirs:
            await asyncio.to_thread(theirs.wait_registered)
            await both.shows("Not in use", ADMIN_UID)
    await both.shows("Unavailable")
    await both.shows("Unavailable", ADMIN_UID)


async def test_the_asterisk_of_one_that_dies_leaves_the_other_live(both: Server, vanilla_like: ExistingPbx) -> None:
    await both.shows("Unavailable")
    await both.shows("Unavailable", ADMIN_UID)
    vanilla_like.asterisk.kill()
    try:
        await both.shows("Unknown ?", ADMIN_UID)
        assert (await answered(both, ADMIN_UID))["extension"] == "alice"
        assert await both.state() == "Unavailable"
    finally:
        await asyncio.to_thread(vanilla_like.asterisk.start)
    await both.shows("Unavailable", ADMIN_UID, within=30)


async def test_check_asks_each_for_what_its_owner_needs(both: Server, pbx: Pbx) -> None:
    servers = both.settings.call_servers
    found: dict[str, list[Finding]] = {
        "main": [finding async for finding in check("main", servers["main"], checked_extensions("12342"))],
        "branch": [finding async for finding in check("branch", servers["branch"], [])],
    }
    assert [finding.what for findings in found.values() for finding in findings if finding.fails] == []
    assert "no credentials account" in {finding.what for finding in found["branch"]}
    assert "no credentials account" not in {finding.what for finding in found["main"]}
