"""Faults of Asterisk, of the service's accounts there, and of phones."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3

from service.cli.demo import SIP_PASSWORD
from tests.integration.faults.scene import Cause, Scene, fault, nothing, once
from tests.support.database import PASSWORD
from tests.support.eventually import eventually
from tests.support.pbx import Pbx, manager_conf

CHECK = "python -m service check"
STATUS = "python -m service status"
NUMBER = "12342"


@fault("Asterisk is lost", "ConnectorCallServerNotLive", "ami_link_down", CHECK, "start Asterisk")
async def lost_asterisk(scene: Scene) -> Cause:
    await scene.start_with_asterisk()
    await scene.logged("ami_link_live")
    scene.stack.push_async_callback(booted, scene.pbx)
    return once(lambda: asyncio.to_thread(scene.pbx.asterisk.kill))


async def booted_again(pbx: Pbx) -> None:
    await allow(pbx, "login")
    pbx.asterisk.kill()
    await booted(pbx)


async def booted(pbx: Pbx) -> None:
    await asyncio.to_thread(pbx.asterisk.start)
    await asyncio.to_thread(pbx.asterisk.wait_ready)


@fault("Asterisk is frozen", "ConnectorCallServerSilent", "ami_link_down", STATUS, "main")
async def frozen_asterisk(scene: Scene) -> Cause:
    await scene.start_with_asterisk(WATCHDOG_DEADLINE="2")
    await scene.logged("ami_link_live")
    process = scene.pbx.asterisk.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    scene.stack.callback(process.send_signal, signal.SIGCONT)
    return nothing


@fault("the secret of `monitor` is wrong", "ConnectorAccountRefused", "ami_link_down", CHECK, "monitor")
async def wrong_secret(scene: Scene) -> Cause:
    await scene.start_with_asterisk(CALL_SERVERS__MAIN__MONITOR_SECRET="wrong-secret-of-monitor")
    return nothing


@fault("`monitor` lacks a class", "ConnectorAccountRefused", "ami_link_down", CHECK, "needs write = reporting")
async def missing_class(scene: Scene) -> Cause:
    conf = manager_conf(scene.pbx)
    right = conf.read_text()

    async def write(text: str) -> None:
        conf.write_text(text)
        await asyncio.to_thread(scene.pbx.asterisk.rx, "manager reload")

    scene.stack.push_async_callback(write, right)
    assert "write = reporting\n" in right
    await write(right.replace("write = reporting\n", "write =\n", 1))
    await scene.start_with_asterisk()
    return nothing


@fault("nobody can set presence", "ConnectorPresenceNotSettable", "presence_connection_down", STATUS, "main")
async def no_presence(scene: Scene) -> Cause:
    await scene.start(CALL_SERVERS__MAIN__PRESENCE_SECRET=PASSWORD)
    return nothing


@fault("a module is loaded that must not be", "", "", CHECK, "TOO MUCH")
async def loaded_module(scene: Scene) -> Cause:
    await scene.start_with_asterisk()
    rx = scene.pbx.asterisk.rx
    await asyncio.to_thread(rx, "module load func_env.so")
    scene.stack.push_async_callback(asyncio.to_thread, rx, "module unload func_env.so")
    return nothing


@fault(
    "one phone is `Unknown`",
    "ConnectorDevicesUntracked",
    "endpoint_untracked",
    f"{STATUS} {NUMBER}",
    "untracked",
)
async def one_unknown_phone(scene: Scene) -> Cause:
    """Asterisk booted while its PostgreSQL was away, with a registration in its own database."""
    pbx = scene.pbx
    phone = scene.stack.enter_context(pbx.phone(NUMBER, SIP_PASSWORD))
    await asyncio.to_thread(phone.wait_registered)
    await eventually(lambda: kept(pbx), what="the registration is in Asterisk's own database")
    pbx.asterisk.kill()
    scene.stack.push_async_callback(booted_again, pbx)
    await allow(pbx, "nologin")
    await booted(pbx)
    await allow(pbx, "login")
    await scene.start_with_asterisk()
    return nothing


def kept(pbx: Pbx) -> bool:
    """Whether the file holds the registration: it is written with a delay, and a kill loses what is not."""
    file = manager_conf(pbx).parents[1] / "db/astdb.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        found = database.execute("select count(*) from astdb where key like ?", [f"/registrar/contact/{NUMBER};%"])
        return bool(found.fetchone()[0])


async def allow(pbx: Pbx, login: str) -> None:
    """Let Asterisk into its database, or not."""
    await asyncio.to_thread(pbx.database.server.sql, f"alter role asterisk_main {login}")
