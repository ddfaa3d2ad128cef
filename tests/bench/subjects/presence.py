"""Presence polls while nothing changes: 304, beside the least that aiohttp can do with the same headers."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.processes import BenchError
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.servers import PEOPLE, Rig
from tests.bench.rig.targets import PER_HEAD, Target, measure, seen

POLLERS, TEAM, ROUNDS = 2_000, 10, 5
TITLE = f"Presence polls that are answered 304, of {PEOPLE:,} extensions: 64 connections, keep-alive"
PATH = "/api/v1/presence"


def run(rig: Rig) -> list[Row]:
    """One colleague, ten, and all; each poller has a token of their own."""
    service = rig.served()
    numbers = people.numbers(POLLERS)
    teams = [numbers[index // TEAM * TEAM :][:TEAM] for index in range(POLLERS)]
    rows: list[Row] = []
    for what, paths in (
        ("one", [f"{PATH}/{team[0]}" for team in teams]),
        ("ten", [f"{PATH}?extension={','.join(team)}" for team in teams]),
        ("all", [PATH for _ in teams]),
    ):
        asked = _with_tags(service.url, paths)
        polls = rig.asked(f"presence-{what}", asked)
        configuration = {"body": "", "status": 304, "headers": _headers(service.url, asked[0])}
        with rig.bare("poll", configuration) as bare:
            ours = Target(f"{what}: service", service.url, service.pid, polls)
            least = Target(f"{what}: bare aiohttp handler", bare.url, bare.pid, polls)
            measure([ours, least], rig.postgres_pid, rounds=ROUNDS)
        rows += [
            ours.cpu_row(),
            least.cpu_row(),
            ratio(f"{what}: service / bare handler, CPU", ours.cpu_row(), least.cpu_row(), "<= 0.5"),
        ]
    return rows


def _with_tags(base: str, paths: list[str]) -> list[LoadRequest]:
    """Polls that know what there is."""
    tags: dict[str, str] = {}
    asked = []
    for number, path in enumerate(paths, people.FIRST):
        headers = people.headers_of(number)
        if path not in tags:
            tags[path] = seen(base, LoadRequest(path, headers))[1]["ETag"]
        asked.append(LoadRequest(path, {**headers, "If-None-Match": tags[path]}))
    return asked


def _headers(base: str, ask: LoadRequest) -> dict[str, str]:
    """Those of a 304 that a bare handler must send too. Raises BenchError where the answer is none."""
    try:
        urlopen(Request(base + ask.path, headers=dict(ask.headers)), timeout=5).close()  # noqa: S310 - loopback
    except HTTPError as answer:
        if answer.status == 304:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in PER_HEAD}
            return {**kept, "X-Request-Id": "0" * 32}
    raise BenchError(f"{ask.path} is not answered 304")
