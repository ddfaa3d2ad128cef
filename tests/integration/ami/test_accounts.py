"""AMI accounts that are wrong: said once and loudly, shown by `readyz`, retried slowly, healed without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from service.ami import kept_connection
from service.ami import link as links
from service.ami.accounts import Account
from service.ami.boot_check import TIME_ZONE_STEP, is_up_longer_than
from service.ami.connection import NullEvents, connect
from service.domain.models import DeviceState
from service.web.app_keys import UNKNOWN_CALL_SERVERS
from tests.support.eventually import eventually
from tests.support.links import SECRET, Watch, is_live, live, storm
from tests.support.pbx import Pbx, manager_conf
from tests.support.server import ADMIN_UID, Server, Start


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
    told = [entry for entry in logs if entry["event"] == "ami_link_down"]
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
    monkeypatch.setattr(links, "MAX_BOOT_TIME", 0.5)
    monkeypatch.setattr(links, "REFUSED_DELAY", 0.1)
    with capture_logs() as logs:
        link = watch(stormy, account=Account("127.0.0.1", stormy.asterisk.config.ami_port, "deaf", SECRET))
        await eventually(lambda: link.facts.failures > 1)
    assert [entry["log_level"] for entry in logs if entry["log_level"] != "debug"] == ["error"]
    assert link.facts.refused
    assert "read class `system`" in str(link.facts.why_ended)
    assert link.facts.resynchronisations == 0


async def test_how_long_asterisk_runs_tells_a_boot_from_a_class_that_is_missing(stormy: Pbx) -> None:
    account = Account("127.0.0.1", stormy.asterisk.config.ami_port, "deaf", SECRET)
    async with connect(account, NullEvents()) as connection:

        async def runs_longer_than(seconds: float) -> bool:
            return await is_up_longer_than(seconds, connection)

        await eventually(lambda: runs_longer_than(0.5))
        assert not await runs_longer_than(TIME_ZONE_STEP - 1)


async def test_without_read_class_call_no_change_is_heard_which_is_found_out(
    stormy: Pbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "FIRST_SNAPSHOT_INTERVAL", 0.1)
    async with storm(stormy) as ami:
        await ami.set_states([("Custom:unheard", "NOT_INUSE")])
        with capture_logs() as logs:
            link = watch(stormy, account=Account("127.0.0.1", stormy.asterisk.config.ami_port, "uncalled", SECRET))
            hears = watch(stormy)
            await live(link)
            await live(hears)
            await ami.set_states([("Custom:unheard", "INUSE")])
            await eventually(lambda: link.facts.refused)
            await eventually(lambda: hears.states.read("Custom:unheard").state is DeviceState.INUSE)
    assert "read class `call`" in str(link.facts.why_ended)
    assert link.states.read("Custom:unheard").state is DeviceState.UNKNOWN
    assert [entry["log_level"] for entry in logs if entry["log_level"] not in ("debug", "info")] == ["error"]


async def test_a_presence_account_that_is_refused_is_told_once_shown_and_heals(
    stormy: Pbx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_connection, "REFUSED_DELAY", 0.1)
    conf = manager_conf(stormy)
    right = conf.read_text()
    server_settings = stormy.settings()
    main = server_settings.call_servers["main"]
    wrong = main.model_copy(update={"presence_secret": SecretStr("another-secret")})
    server_settings.call_servers["main"] = wrong
    with capture_logs() as logs:
        server = await start(server_settings)
        await eventually(lambda: server.link.account_checks.refused)
        await eventually(lambda: len(said(logs)) == 1)
        shown = await readyz(server)
        assert 'connector_link_refused_accounts{call_server="main"} 1.0' in await metrics(server)
    assert shown["status"] == "degraded"
    assert "refuses the account 'presence'" in shown["callServers"]["main"]["refusedAccounts"]["presence"]
    assert "another-secret" not in str(logs)
    await server.shows("Unavailable")

    conf.write_text(
        right.replace(stormy.asterisk.config.presence_secret, "another-secret").replace(
            "write = call\n", "write = agent\n"
        )
    )
    await asyncio.to_thread(stormy.asterisk.rx, "manager reload")
    await eventually(lambda: "may not do what it is for" in server.link.account_checks.refused.get("presence", ""))
    conf.write_text(right.replace(stormy.asterisk.config.presence_secret, "another-secret"))
    await asyncio.to_thread(stormy.asterisk.rx, "manager reload")
    await eventually(lambda: not server.link.account_checks.refused)
    assert await readyz(server) == {"status": "ready"}
    conf.write_text(right)
    await asyncio.to_thread(stormy.asterisk.rx, "manager reload")


async def metrics(server: Server) -> list[str]:
    return (await (await server.client.get("/metrics")).text()).splitlines()


def said(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    return [entry["account"] for entry in logs if entry["event"] == "ami_account_refused"]


async def test_a_call_server_that_the_settings_do_not_name_is_told_once_and_shown(stormy: Pbx, start: Start) -> None:
    await stormy.database.execute("insert into call_servers (name) values ('west')")
    with capture_logs() as logs:
        server = await start(stormy.settings())
        await server.shows("Unavailable")
        statement = "insert into extensions (extension, secret, call_server, user_id) values ($1, 's', 'west', $2)"
        await stormy.database.execute(statement, "900", 1)
        await eventually(lambda: server.app[UNKNOWN_CALL_SERVERS].counts == {"west": 1})
        await stormy.database.execute(statement, "901", None)
        await eventually(lambda: server.app[UNKNOWN_CALL_SERVERS].counts == {"west": 2})
        shown = await readyz(server)
        assert shown["status"] == "degraded"
        assert shown["directory"]["unknownCallServers"] == {"west": 2}
        assert "connector_directory_unknown_call_server_extensions 2.0" in await metrics(server)
        for _ in range(2):
            answer = await server.registration(ADMIN_UID)
            assert (answer.status, "Retry-After" in answer.headers) == (503, True)
        await stormy.database.execute("delete from extensions where call_server = 'west'")
        await eventually(lambda: server.app[UNKNOWN_CALL_SERVERS].counts == {})
    assert await readyz(server) == {"status": "ready"}
    (told,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert told["call_servers"] == {"west": 1}


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
    await eventually(lambda: is_live(link) or link.facts.refused)
    assert link._connection is not None
    link._connection.end("the test ends it")
    await eventually(lambda: link.facts.refused)
    conf.write_text(right)
    await asyncio.to_thread(stormy.asterisk.rx, "manager reload")
    await live(link)
