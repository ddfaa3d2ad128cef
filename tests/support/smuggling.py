"""Request smuggling: bytes that one part of a chain takes for one request and another part for two."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.odd_requests import LINES, PLAIN, POLL
from tests.support.raw import request


def _with(*lines: str, body: bytes = b"", method: str = "GET", target: str = POLL) -> bytes:
    return request(target, *LINES, *lines, method=method) + body


def _smuggling() -> dict[str, bytes]:
    """By name. A plain request follows each."""
    size = len(PLAIN)
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (size, PLAIN)
    of: dict[str, bytes] = {
        "CL.0": _with(f"Content-Length: {size}", body=PLAIN),
        "CL.0 by POST": _with(f"Content-Length: {size}", body=PLAIN, method="POST"),
        "CL.TE": _with(f"Content-Length: {size + 5}", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + PLAIN),
        "TE.CL": _with("Content-Length: 4", "Transfer-Encoding: chunked", body=chunk),
        "chunks": _with("Transfer-Encoding: chunked", body=chunk),
        "chunks with an extension": _with(
            "Transfer-Encoding: chunked", body=b'%x;a="\r\n"\r\n%b\r\n0\r\n\r\n' % (size, PLAIN)
        ),
        "chunks with a bare line end": _with("Transfer-Encoding: chunked", body=b"%x\n%b\n0\n\n" % (size, PLAIN)),
        "chunks with a trailer": _with("Transfer-Encoding: chunked", body=b"0\r\nContent-Length: 5\r\n\r\n"),
        "two lengths": _with("Content-Length: 0", f"Content-Length: {size}", body=PLAIN),
        "two equal lengths": _with(f"Content-Length: {size}", f"Content-Length: {size}", body=PLAIN),
        "two codings": _with("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=chunk),
        "two hosts": _with("Host: other"),
        "no host": PLAIN.replace(b"Host: test\r\n", b""),
        "an old WebSocket": _with("Sec-WebSocket-Key1: x"),
        "a length behind a bare line end": _with(f"X-A: b\nContent-Length: {size}", body=PLAIN),
        "a length behind a bare return": _with(f"X-A: b\rContent-Length: {size}", body=PLAIN),
        "a request behind a bare line end": _with("X-A: b\n\n" + PLAIN.decode()),
        "a folded length": _with(f"Content-Length:\r\n {size}", body=PLAIN),
        "a folded coding": _with("Transfer-Encoding:\r\n chunked", body=chunk),
        "a space before the colon": _with(f"Content-Length : {size}", body=PLAIN),
        "a coding with a space before the colon": _with("Transfer-Encoding : chunked", body=chunk),
        "a space before the name": _with(f" Content-Length: {size}", body=PLAIN),
        "a length in capitals": _with(f"CONTENT-LENGTH: {size}", body=PLAIN),
        "an underscore": _with(f"Content_Length: {size}", body=PLAIN),
        "no name": _with(f": {size}", body=PLAIN),
        "a line without a colon": _with("GET / HTTP/1.1", body=b""),
        "an empty length": _with("Content-Length:", body=PLAIN),
        "no space behind the colon": _with(f"Content-Length:{size}", body=PLAIN),
        "a tab behind the colon": _with(f"Content-Length:\t{size}", body=PLAIN),
        "two versions": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.1 HTTP/1.1"),
        "a version of its own": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.1\x0b"),
        "no version": b"GET %b\r\n\r\n" % POLL.encode(),
        "two spaces": PLAIN.replace(b" HTTP", b"  HTTP"),
        "a space in the path": PLAIN.replace(b"?id", b" ?id"),
        "an absolute target": _with(target=f"http://other{POLL}"),
        "an upgrade": _with("Connection: Upgrade", "Upgrade: websocket", body=PLAIN),
        "h2c": _with("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
        "a named hop-by-hop header": _with("Connection: X-Auth-Token"),
        "an expectation": _with("Expect: 100-continue", f"Content-Length: {size}", body=PLAIN),
        "empty lines first": b"\r\n\r\n" + PLAIN,
        "an empty line behind": PLAIN + b"\r\n",
        "a byte behind": PLAIN + b"G",
        "half a request behind": PLAIN + PLAIN[:50],
        "1.0 that stays": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Host", b"Connection: keep-alive\r\nHost"),
    }
    for number in ("+5", "-5", "0x5", "5 5", "5,5", "05", "5.", "5_0", "\u0665", "9" * 30, "5;a", '"5"'):
        of[f"length {number[:6]}"] = _with(f"Content-Length: {number}", body=b"hello")
    for coding in (
        *("xchunked", "chunked, identity", "identity, chunked", "chunked;a", '"chunked"', "Chunked", "chunked "),
        *("gzip", "\x0bchunked", "\tchunked", "chunked\0", "x\n chunked"),
    ):
        of[f"coding {coding!r}"] = _with(f"Transfer-Encoding: {coding}", body=chunk)
    for between in (b"\0", b"\x01", b"\x0b", b"\x0c", b"\x85", b"\xa0", b"\r", b"\n"):
        of[f"{between!r} in a value"] = PLAIN.replace(b"Host: test", b"Host: te" + between + b"st")
        of[f"{between!r} in a name"] = PLAIN.replace(b"Host: test", b"Ho" + between + b"st: test")
    return of


SMUGGLING = _smuggling()
HOW: dict[str, Callable[[bytes], list[bytes]]] = {
    "in one go": lambda data: [data + PLAIN],
    "one by one": lambda data: [data, PLAIN],
    "behind a plain one": lambda data: [PLAIN, data, PLAIN],
    "head and body apart": lambda data: [*(part for part in _at_head(data) if part), PLAIN],
    "the last byte apart": lambda data: [data[:-1], data[-1:], PLAIN],
}


def _at_head(data: bytes) -> tuple[bytes, bytes]:
    end = data.find(b"\r\n\r\n") + 4
    return data[:end], data[end:]
