"""Encrypted SIP passwords, beside plain ones: a REGISTER's lookups, a full read of the directory, and rekeying."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from local.bootstrap import PROJECT
from local.plan import ASTERISK_ROLE, OWNER_ROLE
from service.clock import uptime
from service.db.connection import DatabaseLogin
from service.db.directory_loader import DirectoryLoader
from service.db.pool import Database
from service.domain.directory import Directory
from service.domain.secret_keys import MasterKey, asterisk_setting
from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import BenchError, cpu_seconds
from tests.bench.rig.servers import Rig

PHONES = 20_000
TITLE = f"SIP passwords of {PHONES:,} phones: encrypted, beside plain"
ROUNDS, LOOKUPS, READS = 7, 1_000, 5
KEY, OTHER = MasterKey.parse("a1" * 32), MasterKey.parse("b2" * 32)


@dataclass
class Figures:
    """What was measured of one database, in each round."""

    url: str
    lookup_us: list[float]
    """PostgreSQL's CPU per lookup of an endpoint and its auth: it says less of what else the machine does than time."""
    read_s: list[float]
    """PostgreSQL's CPU per full read."""


def run(rig: Rig) -> list[Row]:
    """Both databases hold the same people. Sides take turns, so what disturbs a round disturbs both."""
    plain, encrypted = (Figures(rig.database(name, PHONES), [], []) for name in ("plain", "encrypted"))
    turned_on = _rekey(rig, encrypted.url, (KEY,))
    asyncio.run(_measure(rig, plain, encrypted))
    rekeyed = _rekey(rig, encrypted.url, (OTHER, KEY))
    turned_off = _rekey(rig, encrypted.url, (OTHER,), "--plain")
    lookups = [Row(f"{name}: CPU per endpoint and auth of a REGISTER", side.lookup_us, "us")
               for name, side in (("encrypted", encrypted), ("plain", plain))]  # fmt: skip
    reads = [Row(f"{name}: CPU per full read of the directory", side.read_s, "s")
             for name, side in (("encrypted", encrypted), ("plain", plain))]  # fmt: skip
    return [
        *lookups,
        ratio("encrypted / plain, lookup", lookups[0], lookups[1]),
        *reads,
        ratio("encrypted / plain, full read", reads[0], reads[1]),
        Row("secrets rekey: all encrypted", [turned_on], "s"),
        Row("secrets rekey: all with another key", [rekeyed], "s"),
        Row("secrets rekey --plain", [turned_off], "s"),
    ]


async def _measure(rig: Rig, *sides: Figures) -> None:
    password = rig.plan.secrets["asterisk_database"]
    asterisks = [
        await asyncpg.connect(
            side.url.replace(side.url.split("//")[1].split("@")[0], ASTERISK_ROLE),
            password=password,
            server_settings={"connector.keys": asterisk_setting([KEY], "main")},
        )
        for side in sides
    ]
    for number in range(ROUNDS + 1):
        for side, asterisk in zip(sides, asterisks, strict=True):
            before = cpu_seconds(rig.postgres_pid)
            await _look_up(asterisk)
            if number:  # the first round fills caches
                side.lookup_us.append((cpu_seconds(rig.postgres_pid) - before) * 1e6 / LOOKUPS)
    for asterisk in asterisks:
        await asterisk.close()
    for _ in range(READS):
        for side in sides:
            before = cpu_seconds(rig.postgres_pid)
            await _read(side.url, rig.plan.secrets["service_database"])
            side.read_s.append(cpu_seconds(rig.postgres_pid) - before)


async def _look_up(asterisk: asyncpg.Connection) -> None:
    """The queries of `res_config_pgsql`: unprepared, by the simple protocol."""
    for offset in range(LOOKUPS):
        endpoint = people.FIRST + offset * (PHONES // LOOKUPS)
        for view in ("ps_endpoints", "ps_auths"):
            found = await asterisk.execute(f"SELECT * FROM {view} WHERE id = '{endpoint}'")  # noqa: S608
            if found != "SELECT 1":
                raise BenchError(f"endpoint {endpoint}: {found} in {view}")


async def _read(url: str, password: str) -> None:
    """Read everything into memory, as at a start."""
    directory = Directory(uptime, time.time)
    login = DatabaseLogin(url, password, [KEY])
    async with Database(login, size=2, deadline=60, start_deadline=10) as database:
        loader = DirectoryLoader(database, directory, ())
        await loader.read_all()
    if directory.counts()["extensions"] < PHONES or directory.secret_counts.unreadable:
        raise BenchError("the directory is not whole")


def _rekey(rig: Rig, url: str, keys: tuple[MasterKey, ...], *arguments: str) -> float:
    """Seconds that the command takes, with the start of its process."""
    names = ("CONNECTOR_SECRETS_KEY", "CONNECTOR_SECRETS_PREVIOUS_KEY")
    owner = url.split("//")[1].split("@")[0]
    settings: Mapping[str, str] = {
        **rig.plan.service_settings(),
        **rig.plan.owner_settings(),
        "CONNECTOR_DATABASE_URL": url,
        "CONNECTOR_OWNER_DATABASE_URL": url.replace(owner, OWNER_ROLE),
        **{name: key.key.hex() for name, key in zip(names, keys, strict=False)},
    }
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "service", "secrets", "rekey", "--unchecked", *arguments],
        cwd=PROJECT,
        env={**os.environ, **settings},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began
