"""Registration polls, beside the least that aiohttp can do and beside Asterisk's own HTTP."""

from __future__ import annotations

from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, build_opener

from local.demo import AGENT_EXTENSION
from tests.bench.processes import BenchError
from tests.bench.report import Row, ratio
from tests.bench.rig import ADMIN, BENCH, POLL, STATIC, Rig
from tests.bench.targets import Target, measure, seen

TITLE = "Registration polls: 64 connections, keep-alive"


def run(rig: Rig) -> list[Row]:
    """The service, a bare handler with the same bytes, and `PJSIPShowEndpoint` over Asterisk's HTTP, in turn."""
    with rig.serving() as service:
        body, headers = seen(service.url + POLL, ADMIN)
        with rig.bare("poll", {"body": body, "headers": headers}) as bare:
            ours = Target("service", service.url + POLL, service.pid, ADMIN)
            least = Target("bare aiohttp handler", bare.url + POLL, bare.pid, ADMIN)
            shown = _rawman(rig, AGENT_EXTENSION, "Asterisk /rawman, endpoint in PostgreSQL")
            static = _rawman(rig, STATIC, "Asterisk /rawman, endpoint in a file")
            measure([ours, least, shown, static], rig.postgres_pid)
    targets = (ours, least, shown, static)
    return [
        *(target.rate_row() for target in targets),
        *(target.cpu_row() for target in targets),
        Row("service: PostgreSQL's CPU per answer", ours.postgres_cpu, "us"),
        ratio("service / bare handler, CPU", ours.cpu_row(), least.cpu_row(), "<= 1.35 in memory"),
        ratio("service / rawman from PostgreSQL, CPU", ours.cpu_row(), shown.cpu_row(), "<= 0.35 in memory"),
        ratio("service / rawman from a file, CPU", ours.cpu_row(), static.cpu_row()),
    ]


def _rawman(rig: Rig, endpoint: str, name: str) -> Target:
    """Credentials and state in one call; logged in once, by cookie."""
    base = f"http://127.0.0.1:{rig.asterisk.config.http_port}/rawman"
    cookies = CookieJar()
    opener = build_opener(HTTPCookieProcessor(cookies))
    opener.open(f"{base}?action=Login&Username={BENCH}&Secret={rig.secret}", timeout=5).close()
    cookie = {"Cookie": "; ".join(f"{one.name}={one.value}" for one in cookies)}
    url = f"{base}?action=PJSIPShowEndpoint&Endpoint={endpoint}"
    answer, _ = seen(url, cookie)
    if "Password: my$up3erP@ssw0rd" not in answer or "DeviceState: " not in answer:
        raise BenchError(f"Asterisk does not show the endpoint {endpoint}: {answer[:200]}")
    return Target(name, url, rig.asterisk_pid, cookie)
