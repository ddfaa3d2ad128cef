"""What somebody without a token costs: how long the loop is held at most by each kind of request, and SQL."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from tests.bench.report import Row
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import Stage, stage
from tests.bench.rig.statement_counter import statements

PEOPLE = 1_000
TIMES, ROUNDS = 100, 5
TITLE = f"Loop held at most by a stranger's request, of {TIMES} of each kind, one after another"
POLL = "/api/v1/connector.extension.getRegistrationInfoByUserId"
BODY = 65_536
TOKEN = f"X-Auth-Token: {'x' * 42}A\r\nX-User-Id: nobody\r\n"


def requests() -> Iterator[tuple[str, bytes]]:
    """Each kind, by name. Of logins there are only those that are refused before a password is checked."""
    for path in ("/", "/docs", "/openapi.json", "/livez", "/readyz", "/metrics", "/nowhere", POLL, "/user/1"):
        yield f"GET {path.rpartition('.')[2] if path == POLL else path}", _request("GET", path, "X-Real-IP: x\r\n")
    long = "x" * 8000
    yield "a path of 8 KB", _request("GET", f"/{long}")
    yield "a path of 8 KB, escaped", _request("GET", "/user/" + "%C3%A4" * 1300)
    yield "a path of 4,000 slashes", _request("GET", "/a" * 4000)
    yield "a path of doubled slashes", _request("GET", "//a" * 2600)
    yield "a query of 2,000 arguments", _request("GET", f"{POLL}?{'&a=1' * 2000}")
    yield "presence with 2,000 arguments", _request("GET", f"/api/v1/presence?{'&userId=' * 1000}")
    yield "a stream with 2,000 arguments", _request("GET", f"/api/v1/presence/stream?{'&a=1' * 2000}")
    yield "a stream with a made-up ticket", _request("GET", f"/api/v1/presence/stream?ticket={'x' * 43}")
    yield "120 headers of 60 bytes", _request("GET", "/livez", "".join(f"X-{n}: {long[:60]}\r\n" for n in range(120)))
    yield "8 KB of If-None-Match", _request("GET", "/docs", "If-None-Match: " + '"x", ' * 1600 + '"x"\r\n')
    yield "8 KB of X-Forwarded-For", _request("GET", "/metrics", "X-Forwarded-For: " + "1.1.1.1," * 1000 + "\r\n")
    yield "an unknown token", _request("GET", f"{POLL}?id=x", TOKEN)
    yield "64 KB for what reads none", _request("POST", "/nowhere", f"Content-Length: {BODY}\r\n") + b" " * BODY
    yield "64 KB of JSON without a token", _request("GET", POLL, f"Content-Length: {BODY}\r\n") + b"[" * BODY
    yield "64 KB of JSON, a login", _login("application/json", b'{"a":[' + b"[]," * 21_000 + b"[]]}")
    yield "64 KB of a form, a login", _login("application/x-www-form-urlencoded", b"a=" + b"%41" * 21_000)
    yield "a preflight", _request("OPTIONS", "/api/v1/login", "Origin: x\r\nAccess-Control-Request-Method: GET\r\n")
    yield "nonsense", b"nonsense\r\n\r\n"
    yield "32 requests in one go", _request("GET", "/nowhere") * 32


def run(rig: Rig) -> list[Row]:
    """One connection at a time, so that what is seen is one request's; beside a scripted Asterisk."""
    with stage(rig, PEOPLE, watched=True, CONNECTOR_REQUESTS_PER_MINUTE="1000000") as on:
        held: dict[str, list[float]] = {"nothing at all": [], **{name: [] for name, _ in requests()}}
        for _ in range(ROUNDS):
            on.held()
            time.sleep(0.5)
            held["nothing at all"].append(on.held() * 1000)
            for name, data in requests():
                _ask(on, data, 1)  # what is made once
                on.held()
                _ask(on, data, TIMES)
                held[name].append(on.held() * 1000)
        with statements(rig.postgres, on.database) as made:
            for name, data in requests():
                if "login" not in name:
                    _ask(on, data, TIMES)
        rows = [Row(name, values, "ms", "<= 1 ms") for name, values in held.items()]
        return [*rows, Row("SQL statements meanwhile", [made()])]


def _ask(on: Stage, data: bytes, times: int) -> None:
    host, port = on.service.url.removeprefix("http://").split(":")
    for _ in range(times):
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            try:
                while line.recv(1 << 20):
                    pass
            except ConnectionResetError:  # its body was not wanted
                pass


def _request(method: str, target: str, headers: str = "") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode()


def _login(kind: str, body: bytes) -> bytes:
    return _request("POST", "/api/v1/login", f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n") + body
