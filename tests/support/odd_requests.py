"""Conversations of requests that are plain, nearly plain, or broken."""

from __future__ import annotations

import random

from tests.support.raw import request
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, REGISTRATION

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
PLAIN = request(POLL, *LINES)
BROWSER = (
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="130", "Not?A_Brand";v="99"',
    "sec-ch-ua-mobile: ?0",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0",
    "Accept: application/json, text/plain, */*",
    "Origin: https://a.example",
    "Sec-Fetch-Site: same-site",
    "Referer: https://a.example/",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: de-DE,de;q=0.9",
    "Cookie: a=b; c=d",
)
TARGETS = (
    POLL,
    POLL,
    f"{REGISTRATION}?id={ADMIN_UID}",
    f"{REGISTRATION}?id=nobody",
    f"{REGISTRATION}?id=%42yehQjC44FwMeiLbX",
    f"{REGISTRATION}?id={AGENT_UID}&id=x",
    f"{REGISTRATION}?",
    REGISTRATION,
    f"/{POLL}",
    f"http://x{POLL}",
    f"{POLL}#x",
    f"{POLL}&wait=0",
    f"{POLL}?",
    f"{POLL}&x=%zz",
    f"{REGISTRATION}?&id={AGENT_UID}",
    f"{REGISTRATION}?id={AGENT_UID};x=(a:b@c/d?e)",
    f"{REGISTRATION}?id=a|b",
    f"{REGISTRATION}?id=a[b]",
    "/api/v1/presence",
    "/api/v1/presence?extension=12343,12344",
    "/api/v1/presence?extension=12343&extension=12344&userId=nobody",
    "/api/v1/presence?extension%5B%5D=12343",
    "/api/v1/presence?extension=%31+2",
    "/api/v1/presence?since=x",
    "/api/v1/presence?wait=x",
    "/api/v1/presence?unknown=1",
    "/api/v1/presence/12343",
    "/api/v1/presence/404",
    "/api/v1/presence/1.2",
    "/api/v1/presence/%31",
    "/api/v1/presence/",
    "/api/v1/presence/../presence",
    "/api/v1/users.presence",
    "/api/v1/users.presence?from=x",
    "/api/v1/users.getPresence?username=dnhai",
    "/livez",
    "/user/1795",
    "/nowhere",
    "*",
    "",
)
HEADERS = (
    *BROWSER,
    'If-None-Match: "x"',
    'If-None-Match: W/"x"',
    'If-None-Match: ""',
    'If-None-Match: "x", "y"',
    "If-None-Match: *",
    'If-None-Match: "*"',
    "If-None-Match:",
    "If-None-Match: x",
    "X-Request-Id: mine",
    "X-Request-Id: not a valid one",
    "x-request-id: lower",
    "Origin: https://b.example",
    "ORIGIN: https://a.example",
    "Origin:",
    "Connection: close",
    "Connection: Keep-Alive",
    "Connection: keep-alive, close",
    "Connection: X-Auth-Token",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Trailer: X-User-Id",
    "Upgrade: websocket",
    "Expect: 100-continue",
    "Content-Length: 0",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 0, 0",
    "Content-Encoding: gzip",
    "Content-Type: text/plain",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: identity",
    "Transfer_Encoding: chunked",
    "Host: other",
    "User-Agent: another",
    "ETag: x",
    "Server: x",
    "Max-Forwards: 1",
    "Sec-WebSocket-Key1: x",
    "Sec-WebSocket-Version: 13",
    "HTTP2-Settings: AAMAAABkAAQAAP__",
    "Range: bytes=0-1",
    'If-Match: "x"',
    "If-Modified-Since: Thu, 26 Nov 2026 00:00:00 GMT",
    "Authorization: Basic eDp5",
    "Forwarded: for=203.0.113.9;proto=https",
    "X-Forwarded-Proto: https",
    "Via: 1.1 a\r\nVia: 1.1 b",
    "Accept: a\r\nAccept: b",
    "X-HTTP-Method-Override: DELETE",
    "X-Forwarded-For: 203.0.113.9",
    f"X-User-Id: {AGENT_UID}",
    "X-Auth-Token: short",
    f"x-auth-token: {'x' * 43}",
    "X_Auth_Token: y",
    "X-Empty:",
    "X-Empty: ",
    "X-Space:  two",
    "X-Space: behind ",
    "X-Tab:\tone",
    "X-Tab: a\tb",
    "X-High: \udcfc",
    "X-Utf8: ü",
    "X-Control: \x01",
    "X-Nul: \0",
    "X-Fold: a\r\n b",
    "X-Bare: a\nX-B: b",
    "X-Return: a\rb",
    "X Space: a",
    "X-Colon : a",
    " X-Leading: a",
    "no colon",
    ": no name",
    "X-Ümlaut: a",
    "X-Long: " + "y" * 8_000,
    "X-Longer: " + "y" * 9_000,
)
METHODS = ("GET", "GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "get", "G\tT", "PATCH", "CONNECT")
VERSIONS = (*[b"HTTP/1.1"] * 8, b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"")


def one(rng: random.Random) -> bytes:
    """One request: plain in most of its parts."""
    lines = [*LINES, *rng.sample(BROWSER, rng.randrange(len(BROWSER)))] if rng.random() < 0.9 else []
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), rng.choice(HEADERS))
    if rng.random() < 0.1:
        lines += [f"X-{number}: y" for number in range(rng.choice((50, 63, 64, 100, 127, 128, 200)))]
    method = rng.choice(METHODS) if rng.random() < 0.2 else "GET"
    target = rng.choice(TARGETS) if rng.random() < 0.6 else POLL
    data = request(target, *lines, method=method, body=b"{}" if method == "POST" else b"")
    if rng.random() < 0.1:
        data = data.replace(b"HTTP/1.1", rng.choice(VERSIONS), 1)
    if rng.random() < 0.05:
        data = data.replace(b"Host: test\r\n", rng.choice((b"", b"Host:\r\n", b"Host: a:1\r\n", b"Host: a/b\r\n")))
    if rng.random() < 0.05:
        data = data.replace(b"\r\n", b"\n")
    if rng.random() < 0.05:
        data = rng.choice((b"\r\n", b"\n", b"\r\n\r\n", b" ")) + data
    return data


def mutated(rng: random.Random, data: bytes) -> bytes:
    """The same with a few bytes changed, left out or doubled."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(changed))
        what = rng.randrange(4)
        if what == 0:
            changed[at] = rng.choice(b"\0\t\n\r :/?#%\"'\\;,\x7f\x80\xffaZ0")
        elif what == 1:
            del changed[at : at + rng.choice((1, 2, 10))]
        elif what == 2:
            changed[at:at] = changed[at : at + rng.choice((1, 2, 40))]
        else:
            changed[at:at] = rng.choice((b"\r\n", b"\n", b" ", b"\0", b"\r\n\r\n", b":", b"Content-Length: 3\r\n"))
        if not changed:
            break
    return bytes(changed)


def split(rng: random.Random, data: bytes) -> list[bytes]:
    """The bytes in some pieces."""
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 0, 1, 1, 2, 4))))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [piece for piece in pieces if piece]


def conversation(seed: int) -> list[bytes]:
    """Pieces of some requests, in one go, one by one, or split anywhere."""
    rng = random.Random(seed)
    requests = [one(rng) for _ in range(rng.choice((1, 1, 2, 3, 5)))]
    if rng.random() < 0.3:
        at = rng.randrange(len(requests))
        requests[at] = mutated(rng, requests[at])
    if rng.random() < 0.4:
        return [data for data in requests if data]
    return split(rng, b"".join(requests))
