"""AMI accounts that are wrong: said once and loudly, shown by `readyz`, retried slowly, healed without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.asterisk import link as links
from service.asterisk.connection import Account
from tests.support.eventually import eventually
from tests.support.links import SECRET, Watch, is_live, live
from tests.support.pbx import Pbx
from tests.support.server import Server, Start


def manager_conf(pbx: Pbx) -> Path:
    """The file that a running Asterisk reads."""
    process = pbx.asterisk.process
    assert process is not None
    assert isinstance(process.args, list)
    return Path(str(process.args[-2])).with_name("manager.conf")


async def readyz(server: Server) -> Any:
    answer = await server.client.get("/readyz")
    assert answer.status == 200
    return await answer.json()


async def test_a_refused_login_is_said_once_shown_retried_slowly_and_heals(
    pbx: Pbx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert links.REFUSED_DELAY >= 30
    monkeypatch.setattr(links, "REFUSED_DELAY", 1.0)
    conf = manager_conf(pbx)
    with capture_logs() as logs:
        server = await start(pbx.settings(monitor_secret="another-secret"))
        await eventually(lambda: server.link.facts.failures >= 2)
    told = [entry for entry in logs if entry["event"] == "the link to asterisk is down"]
    assert [entry["log_level"] for entry in told if entry["log_level"] != "debug"] == ["error"]
    assert "'monitor'" in told[0]["error"]
    assert "another-secret" not in str(logs)
    assert await server.state() == "Unknown ?"
    shown = (await readyz(server))["callServers"]["main"]
    assert (shown["refused"], shown["freshness"]) == (True, "disconnected")
    assert "refuses the account" in shown["whyEnded"]

    conf.write_text(conf.read_text().replace(pbx.asterisk.config.monitor_secret, "another-secret"))
    await asyncio.to_thread(pbx.asterisk.rx, "manager reload")
    await server.shows("Unavailable")
    assert await readyz(server) == {"status": "ready"}
    await asyncio.to_thread(pbx.asterisk.stop)  # it starts with the rendered secret again


async def test_without_read_class_system_no_boot_is_heard_so_nothing_is_live(
    stormy: Pbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "BOOT_PATIENCE", 0.5)
    link = watch(stormy, account=Account("127.0.0.1", stormy.asterisk.config.ami_port, "deaf", SECRET))
    await eventually(lambda: link.facts.failures)
    assert link.facts.refused
    assert "read class `system`" in str(link.facts.why_ended)
    assert link.facts.resynchronisations == 0


async def test_without_write_class_reporting_nothing_can_be_listed_so_nothing_is_live(
    stormy: Pbx, watch: Watch
) -> None:
    link = watch(stormy, account=Account("127.0.0.1", stormy.asterisk.config.ami_port, "mute", SECRET))
    await eventually(lambda: link.facts.failures)
    assert link.facts.refused
    assert "DeviceStateList: Permission denied" in str(link.facts.why_ended)
    assert link.facts.resynchronisations == 0


async def test_an_account_that_is_changed_under_a_live_link_harms_only_the_next_one(
    stormy: Pbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "REFUSED_DELAY", 0.2)
    conf = manager_conf(stormy)
    right = conf.read_text()
    link = watch(stormy)
    await live(link)
    conf.write_text(right.replace(stormy.asterisk.config.monitor_secret, "changed"))
    await asyncio.to_thread(stormy.asterisk.rx, "manager reload")
    await eventually(lambda: is_live(link) or link.facts.refused, 3)
    assert link._connection is not None
    link._connection.end("the test ends it")
    await eventually(lambda: link.facts.refused)
    conf.write_text(right)
    await asyncio.to_thread(stormy.asterisk.rx, "manager reload")
    await live(link)
