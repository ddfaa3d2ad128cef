"""Setting one's own presence: over one connection to Asterisk that is kept, watched, and replaced when it is gone."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from local import asterisk_programs
from local.asterisk_programs import Programs
from service.ami import kept_connection
from service.ami.kept_connection import KeptConnection
from service.web.app_keys import PRESENCE_CONNECTIONS
from tests.support.cutter import cutting
from tests.support.eventually import eventually
from tests.support.pbx import Pbx, manager_conf
from tests.support.server import ADMIN, Server, Start, serving

WRITERS = 50
SLACK = 15.0
"""Seconds for a crowded machine, on top of a deadline."""
HIDDEN = 60.0
"""Seconds of a deadline that must not be what ends a wait."""
LOGINS = re.compile(r'SecurityEvent="SuccessfulAuth".*Service="AMI".*AccountID="presence"')


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: it is asked for nothing but a login and a Setvar."""
    return asterisk_programs.find()


async def put(server: Server, headers: dict[str, str], presence: str = "away") -> int:
    answer = await server.client.put("/api/v1/presence", headers=headers, json={"presence": presence})
    return answer.status


async def report(server: Server) -> Any:
    """What `readyz` tells of the connection, if it is degraded."""
    body = await (await server.client.get("/readyz")).json()
    return body["callServers"]["main"]["presence"] if "callServers" in body else None


async def status(server: Server) -> Any:
    return (await (await server.client.get("/status")).json())["callServers"][0]


async def metric(server: Server, name: str) -> float:
    text = await (await server.client.get("/metrics")).text()
    return float(re.findall(rf'^connector_presence_{name}{{call_server="main"}} (.*)$', text, re.MULTILINE)[0])


def connection(server: Server) -> KeptConnection:
    kept = server.app[PRESENCE_CONNECTIONS]["main"]
    assert isinstance(kept, KeptConnection)
    return kept


async def connected(server: Server) -> None:
    await eventually(lambda: connection(server).connected and server.link.states.current)


def told(logs: Iterable[Mapping[str, Any]], *names: str) -> list[str]:
    """Levels of the events with these names, but for debug."""
    return [entry["log_level"] for entry in logs if entry["event"] in names and entry["log_level"] != "debug"]


async def test_asterisk_sees_one_login_however_many_write(pbx: Pbx, start: Start) -> None:
    asterisk, log = pbx.asterisk, manager_conf(pbx).parents[1] / "log/security.log"
    await asyncio.to_thread(asterisk.rx, "module load res_security_log.so")
    await asyncio.to_thread(asterisk.rx, "logger add channel security.log security")
    server = await start(pbx.settings())
    agent = await server.headers_of()
    assert await asyncio.gather(*(put(server, agent) for _ in range(WRITERS))) == [200] * WRITERS
    assert [await put(server, agent, presence) for presence in ("dnd", "away") * 10] == [200] * 20
    assert await metric(server, "connections_total") == 1
    assert len(LOGINS.findall(log.read_text())) == 1


async def test_an_asterisk_that_lets_nobody_new_in_keeps_nobody_from_it(pbx: Pbx, start: Start) -> None:
    """Connections that never log in do that to Asterisk, 50 at a time; it miscounts them, so here the line refuses."""
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        agent = await server.headers_of()
        assert await put(server, agent) == 200
        cutter.refuse()
        assert [await put(server, agent, presence) for presence in ("dnd", "available", "away")] == [200] * 3
        assert "CustomPresence:12342" in await asyncio.to_thread(pbx.asterisk.rx, "presencestate list")


async def test_a_connection_that_was_cut_is_replaced_and_one_serves_all(pbx: Pbx, start: Start) -> None:
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        with capture_logs() as logs:
            server = await start(pbx.settings(ami_port=cutter.port))
            await connected(server)
            agent = await server.headers_of()
            assert await asyncio.gather(*(put(server, agent) for _ in range(20))) == [200] * 20
            actions = cutter.actions_of("presence")
            assert (actions["Login"], actions["Setvar"]) == (1, 20)
            for _ in range(3):
                cutter.cut()
                assert await asyncio.gather(*(put(server, agent) for _ in range(20))) == [200] * 20
        assert cutter.actions_of("presence")["Login"] == 4
        assert told(logs, "presence_connection_down", "presence_connection_live") == ["info"] + ["warning", "info"] * 3
        assert told(logs, "ami_account_refused") == []


async def test_writes_in_flight_on_a_connection_that_is_cut_are_sent_again_on_the_next(pbx: Pbx, start: Start) -> None:
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        await connected(server)
        agent = await server.headers_of()
        client = connection(server)._client
        assert client is not None
        cutter.hold()
        writes = asyncio.gather(*(put(server, agent) for _ in range(WRITERS)))
        await eventually(lambda: len(client._protocol.responses) >= WRITERS)
        cutter.cut()
        cutter.resume()
        assert await writes == [200] * WRITERS
        assert await metric(server, "connections_total") == 2


@pytest.mark.timeout(120)
async def test_a_silent_connection_is_noticed_without_a_write_told_once_and_heals(
    pbx: Pbx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_connection, "USE_DEADLINE", HIDDEN)
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        with capture_logs() as logs:
            server = await start(pbx.settings(ami_port=cutter.port, watchdog_deadline=2))
            agent = await server.headers_of()
            assert await put(server, agent) == 200
            assert await metric(server, "connected") == 1
            cutter.hold()
            await eventually(lambda: not connection(server).connected, 2.5 + SLACK)
            assert await metric(server, "connected") == 0
            shown = await report(server)
            assert (shown["connected"], shown["whyDown"]) == (False, "no answer to Ping within 2 s")
            began = time.monotonic()
            assert await asyncio.gather(*(put(server, agent) for _ in range(WRITERS))) == [503] * WRITERS
            assert time.monotonic() - began < kept_connection.OPEN_DEADLINE + SLACK
            cutter.resume()

            async def set_again() -> bool:
                return await put(server, agent) == 200

            await eventually(set_again)
            await eventually(lambda: server.link.states.current)
            assert await report(server) is None
        assert told(logs, "presence_connection_down", "presence_connection_live") == ["info", "warning", "info"]


@pytest.mark.timeout(120)
async def test_a_write_into_a_frozen_asterisk_ends_in_time_and_what_is_read_later_is_what_asterisk_has(
    pbx: Pbx, start: Start
) -> None:
    server = await start(pbx.settings())
    agent = await server.headers_of()
    assert await put(server, agent, "available") == 200
    process = pbx.asterisk.process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        answers = await asyncio.gather(*(put(server, agent, "xa") for _ in range(WRITERS)))
        assert time.monotonic() - began < kept_connection.USE_DEADLINE + SLACK
        assert answers == [503] * WRITERS
        began = time.monotonic()
        assert await put(server, agent, "xa") == 503
        assert time.monotonic() - began < kept_connection.USE_DEADLINE + SLACK
    finally:
        os.kill(process.pid, signal.SIGCONT)

    async def reads_what_asterisk_has() -> bool:
        listed = await asyncio.to_thread(pbx.asterisk.rx, "presencestate list")
        [has] = re.findall(r"Name: 'CustomPresence:12342'\s+--- State: '(\w+)'", listed)
        answer = await server.client.get("/api/v1/presence/12342", headers=ADMIN)
        item = (await answer.json())["presence"]
        return bool(item["live"] and item["presence"] == has)

    await eventually(reads_what_asterisk_has, 30)
    assert await put(server, agent, "dnd") == 200


async def test_a_restart_of_asterisk_needs_none_of_the_service(
    pbx: Pbx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for deadline in ("OPEN_DEADLINE", "USE_DEADLINE"):
        monkeypatch.setattr(kept_connection, deadline, HIDDEN)
    with capture_logs() as logs:
        server = await start(pbx.settings())
        agent = await server.headers_of()
        assert await put(server, agent) == 200
        await asyncio.to_thread(pbx.asterisk.stop)
        began = time.monotonic()
        assert await put(server, agent) == 503
        assert time.monotonic() - began < SLACK
        shown = await report(server)
        assert (shown["connected"], "out of reach" in shown["whyDown"]) == (False, True)
        await asyncio.to_thread(pbx.asterisk.start)

        async def set_again() -> bool:
            return await put(server, agent, "dnd") == 200

        await eventually(set_again, HIDDEN)
    assert told(logs, "presence_connection_down", "presence_connection_live") == ["info", "warning", "info"]


async def test_who_waits_to_connect_again_does_so_when_the_link_is_live(pbx: Pbx, start: Start) -> None:
    """The link and this connection each have a backoff; readiness needs both."""
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        await connected(server)
        connection(server)._delays = lambda: itertools.repeat(600.0)
        cutter.refuse()
        cutter.cut()
        await eventually(lambda: connection(server).why_down and server.link.facts.why_ended)
        cutter.admit()
        await connected(server)


async def test_many_writers_while_asterisk_is_away_share_few_attempts(pbx: Pbx, start: Start) -> None:
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        await connected(server)
        agent = await server.headers_of()
        cutter.refuse()
        connection(server)._client.end("the test ends it")  # type: ignore[union-attr]
        await eventually(lambda: connection(server).why_down)
        before, began = cutter.attempts, time.monotonic()
        for _ in range(3):
            assert await asyncio.gather(*(put(server, agent) for _ in range(WRITERS))) == [503] * WRITERS
        elapsed = time.monotonic() - began
        assert cutter.attempts - before <= elapsed / kept_connection.MIN_ATTEMPT_INTERVAL + 2


async def test_an_operator_sees_that_presence_cannot_be_set_and_why_while_all_else_is_live(
    pbx: Pbx, start: Start
) -> None:
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        await connected(server)
        assert (await status(server))["presence"]["connected"]
        assert await report(server) is None, "ready"
        cutter.refuse()
        connection(server)._client.end("the test ends it")  # type: ignore[union-attr]
        await eventually(lambda: "out of reach" in (connection(server).why_down or ""))
        server_status = await status(server)
        assert (server_status["freshness"], server_status["reason"]) == ("live", None)
        assert server_status["presence"]["reason"]["code"] == "call-server-unreachable"
        assert not (await report(server))["connected"]
        assert await metric(server, "connected") == 0


async def test_a_refused_account_does_not_log_in_for_each_request(pbx: Pbx, start: Start) -> None:
    settings = pbx.settings()
    main = settings.call_servers["main"]
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        wrong = {"presence_secret": SecretStr("not its secret"), "ami_port": cutter.port}
        settings.call_servers["main"] = main.model_copy(update=wrong)
        server = await start(settings)
        agent = await server.headers_of()
        assert await put(server, agent) == 503
        answers = [
            await server.client.put("/api/v1/presence", headers=agent, json={"presence": "away"}) for _ in range(5)
        ]
        assert {(answer.status, answer.headers["Retry-After"]) for answer in answers} == {(503, "60")}
        assert cutter.actions_of("presence")["Login"] == 1
        shown = (await status(server))["presence"]
        assert shown["reason"]["code"] == "login-refused"
        assert "CONNECTOR_CALL_SERVERS__MAIN__PRESENCE_SECRET" in shown["reason"]["nextStep"]


async def test_a_secret_that_is_changed_in_asterisk_harms_only_the_next_connection(
    pbx: Pbx, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_connection, "REFUSED_DELAY", 0.5)
    conf = manager_conf(pbx)
    right = conf.read_text()
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        with capture_logs() as logs:
            server = await start(pbx.settings(ami_port=cutter.port))
            agent = await server.headers_of()
            assert await put(server, agent) == 200
            conf.write_text(right.replace(pbx.asterisk.config.presence_secret, "changed"))
            try:
                await asyncio.to_thread(pbx.asterisk.rx, "manager reload")
                assert await put(server, agent) == 200
                cutter.cut()
                assert await put(server, agent) == 503
                await eventually(lambda: cutter.actions_of("presence")["Login"] >= 3)
                assert "refuses the account 'presence'" in (await report(server))["whyDown"]
            finally:
                conf.write_text(right)
                await asyncio.to_thread(pbx.asterisk.rx, "manager reload")
            await connected(server)
            assert await put(server, agent) == 200
        assert told(logs, "ami_account_refused", "ami_account_accepted") == ["error", "info"]


async def test_a_service_that_ends_while_it_connects_ends_at_once(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    for deadline in ("OPEN_DEADLINE", "USE_DEADLINE"):
        monkeypatch.setattr(kept_connection, deadline, HIDDEN)
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        cutter.hold()
        async with serving(pbx.settings(ami_port=cutter.port, watchdog_deadline=HIDDEN)) as server:
            await eventually(lambda: cutter.attempts >= 2)
            waiting = asyncio.create_task(connection(server).use(lambda client: client.core_status()))
            await eventually(lambda: connection(server)._waiting)
            began = time.monotonic()
        with pytest.raises(Exception, match="the service is stopping"):
            await waiting
        assert time.monotonic() - began < SLACK
