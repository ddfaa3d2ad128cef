"""Reads a plain request from its bytes: the grammar of what is answered without aiohttp.

A plain request is one whole `GET` of a path that has a handler for it, as pollers send it. Its bytes mean one
thing only, to us, to aiohttp and to any proxy. All other bytes are aiohttp's. The grammar, narrower than HTTP's:

| part | allowed |
| --- | --- |
| size | MAX_SIZE, so below every limit of aiohttp, and nothing behind the empty line |
| line | `GET`, a path of unreserved characters, at most one query, `HTTP/1.1` |
| header | `Name: value`: a name of letters, digits, `-` and `_`; one space; a value of printable ASCII, not empty |
| once at most | `ONCE`: what is read, and what aiohttp refuses to read twice; `Host` exactly once |
| never | `NEVER` and `NEVER_PREFIXES`: what describes a body, the connection, or another protocol |
| `Connection` | `keep-alive` only: browsers send it, and HTTP/1.1 does so anyway |
| `If-None-Match` | one entity tag, or `*` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from aiohttp import ETag
from multidict import MultiMapping
from yarl import URL

from service.web.http.polled_request import IF_NONE_MATCH, POLLED_HEADERS, Parts
from service.web.server.path_table import PathMatch, PathTable

MAX_SIZE = 8_000
"""Bytes of a plain request: a line of 8,190 bytes is too long for aiohttp."""
CONNECTION, HOST = "connection", "host"
ONCE = POLLED_HEADERS | {CONNECTION, HOST, "user-agent"}
NEVER = frozenset(
    ("etag", "expect", "keep-alive", "max-forwards", "server", "te", "trailer", "transfer-encoding", "upgrade")
)
NEVER_PREFIXES = ("content-", "proxy-", "http2-", "sec-websocket-")

_REQUEST = re.compile(
    rb"GET (/[A-Za-z0-9._~/-]*+)(?:\?([A-Za-z0-9._~!$&'()*+,;=:@/?%-]*+))? HTTP/1\.1\r\n"
    rb"((?:[A-Za-z0-9_-]++: (?! )[ -~]++(?<! )\r\n){1,64}+)\r\n"
)
_ENTITY_TAG = re.compile(r'(W/)?"([!#-~]+)"|\*')
_MAX_NAMES = 512


class _Names(dict[bytes, str | None]):
    """What a header's name means: its key if it is one of ONCE, empty if it is ignored, None if it is never plain."""

    def __missing__(self, name: bytes) -> str | None:
        key: str | None = name.lower().decode()
        assert key is not None
        if key in NEVER or key.startswith(NEVER_PREFIXES):
            key = None
        elif key not in ONCE:
            key = ""
        if len(self) >= _MAX_NAMES:  # names are the client's choice
            self.clear()
        self[name] = key
        return key


_names = _Names()


class PlainRequest(msgspec.Struct, gc=False):
    """A plain request, as a `PolledRequest`."""

    app: Parts
    route: PathMatch
    match_info: Mapping[str, str]
    raw_path: str
    raw_query_string: str
    headers: dict[str, str]
    remote: str | None
    request_id: str = ""
    """The id that the response carries. The dispatcher sets it."""

    def __repr__(self) -> str:  # headers hold a token
        return f"PlainRequest({self.raw_path})"

    @property
    def path(self) -> str:
        """The path, which has nothing to unquote."""
        return self.raw_path

    @property
    def rel_url(self) -> PlainRequest:
        """The path and the query."""
        return self

    @property
    def query(self) -> MultiMapping[str]:
        """The parameters of the query, as aiohttp parses them."""
        return URL.build(query_string=self.raw_query_string, encoded=True).query

    @property
    def if_none_match(self) -> tuple[ETag, ...] | None:
        """The one entity tag of the header, as aiohttp parses it."""
        tag = _ENTITY_TAG.fullmatch(self.headers.get(IF_NONE_MATCH, ""))
        return None if tag is None else (ETag(value=tag[2] or "*", is_weak=tag[1] is not None),)


def read(data: bytes, app: Parts, paths: PathTable, remote: str | None) -> PlainRequest | None:
    """The plain request that these bytes are; None if they are none."""
    if len(data) > MAX_SIZE or (parts := _REQUEST.fullmatch(data)) is None:
        return None
    raw_path, raw_query, lines = parts.groups()
    path = raw_path.decode()
    found = paths.find_plain("GET", path)
    if found is None or (found[0].sync_handler is None and found[0].plain_handler is None):
        return None
    headers = _read_headers(lines)
    if headers is None:
        return None
    return PlainRequest(app, *found, path, raw_query.decode() if raw_query else "", headers, remote)


def _read_headers(lines: bytes) -> dict[str, str] | None:
    """The headers among ONCE, by their names in lower case; None if the request is no plain one."""
    headers: dict[str, str] = {}
    for line in lines[:-2].split(b"\r\n"):
        name, _, value = line.partition(b": ")
        key = _names[name]
        if key:
            if key in headers:
                return None
            headers[key] = value.decode()
        elif key is None:
            return None
    if HOST not in headers or headers.get(CONNECTION, "keep-alive").lower() != "keep-alive":
        return None
    tag = headers.get(IF_NONE_MATCH)
    return None if tag is not None and _ENTITY_TAG.fullmatch(tag) is None else headers
