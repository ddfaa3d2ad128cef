"""Registration polls, beside the least that aiohttp can do and beside Asterisk's own HTTP."""

from __future__ import annotations

from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, build_opener

from tests.bench.report import Row, ratio
from tests.bench.rig import people
from tests.bench.rig.asterisk_config import BENCH, STATIC
from tests.bench.rig.processes import BenchError
from tests.bench.rig.request_file import LoadRequest
from tests.bench.rig.servers import PEOPLE, Rig
from tests.bench.rig.targets import Target, measure, seen

TITLE = f"Registration polls of {PEOPLE:,} people, each with a token: 64 connections, keep-alive"


def run(rig: Rig) -> list[Row]:
    """The service, a bare handler with the same bytes, and `PJSIPShowEndpoint` over Asterisk's HTTP, in turn."""
    asked = people.polls(PEOPLE)
    polls = rig.asked("polls", asked)
    service = rig.served()
    body, headers = seen(service.url, asked[0])
    with rig.bare("poll", {"body": body, "headers": headers}) as bare:
        ours = Target("service", service.url, service.pid, polls)
        least = Target("bare aiohttp handler", bare.url, bare.pid, polls)
        numbers = [str(people.FIRST + number) for number in range(PEOPLE)]
        shown = _rawman(rig, "Asterisk /rawman, endpoints in PostgreSQL", numbers)
        static = _rawman(rig, "Asterisk /rawman, an endpoint in a file", [STATIC])
        measure([ours, least, shown, static], rig.postgres_pid)
    targets = (ours, least, shown, static)
    return [
        *(target.rate_row() for target in targets),
        *(target.cpu_row() for target in targets),
        Row("service: PostgreSQL's CPU per answer", ours.postgres_cpu, "us"),
        ratio("service / bare handler, CPU", ours.cpu_row(), least.cpu_row(), "<= 0.5"),
        ratio("service / rawman from PostgreSQL, CPU", ours.cpu_row(), shown.cpu_row(), "<= 0.35"),
        ratio("service / rawman from a file, CPU", ours.cpu_row(), static.cpu_row()),
    ]


def _rawman(rig: Rig, name: str, endpoints: list[str]) -> Target:
    """Credentials and state in one call; logged in once, by cookie."""
    base = f"http://127.0.0.1:{rig.asterisk.config.http_port}"
    cookies = CookieJar()
    opener = build_opener(HTTPCookieProcessor(cookies))
    opener.open(f"{base}/rawman?action=Login&Username={BENCH}&Secret={rig.secret}", timeout=5).close()
    cookie = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in cookies)}
    asked = [LoadRequest(f"/rawman?action=PJSIPShowEndpoint&Endpoint={endpoint}", cookie) for endpoint in endpoints]
    answer, _ = seen(base, asked[0])
    if "Password: my$up3erP@ssw0rd" not in answer or "DeviceState: " not in answer:
        raise BenchError(f"Asterisk does not show the endpoint {endpoints[0]}: {answer[:200]}")
    return Target(name, base, rig.asterisk_pid, rig.asked(f"rawman-{endpoints[0]}", asked))
