"""Hosts, paths and origins in settings: what a browser takes, and nothing else."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings import CallServer
from service.settings.hosts import authority, host, near_host, origin, url_path
from tests.support.database import call_server

ADDRESSES = st.ip_addresses().map(str)
LABELS = st.from_regex(r"(?!xn--)[a-z][a-z0-9_-]{0,20}[a-z0-9]", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=5).map(".".join)
PORTS = st.integers(1, 65535)


def told(server: CallServer) -> str:
    return server.address("main").websocket_url


@pytest.mark.parametrize(
    ("given_", "url"),
    [
        ("pbx.example.com", "wss://pbx.example.com:26116/ws"),
        ("2001:db8::5", "wss://[2001:db8::5]:26116/ws"),
        ("[2001:db8::5]", "wss://[2001:db8::5]:26116/ws"),
        ("::ffff:192.0.2.1", "wss://[::ffff:192.0.2.1]:26116/ws"),
        ("192.0.2.1", "wss://192.0.2.1:26116/ws"),
    ],
)
def test_a_softphone_is_told_the_host_as_configured_and_a_url_that_a_browser_takes(given_: str, url: str) -> None:
    server = call_server(host=given_, websocket_port=26116)
    assert (server.address("main").host, told(server)) == (given_, url)
    assert told(call_server(host=given_)) == url.replace(":26116", "")


@given(st.one_of(ADDRESSES, NAMES), PORTS)
def test_every_host_comes_back_out_of_its_url(text: str, port: int) -> None:
    for written in {text, f"[{text}]"} if ":" in text else {text}:
        assert (host(written), near_host(written)) == (written, text)
        parts = urlsplit(f"wss://{authority(written, port)}/ws")
        assert (parts.hostname, parts.port) == (text, port)
        if port not in (80, 443):
            assert origin(f"https://{authority(text, port)}") == f"https://{authority(text, port)}"


@given(st.one_of(st.text(), st.text("ab1.:[]%-_/@ #?\\\r\n\t\0*0x", max_size=12)))
def test_whatever_is_taken_for_a_host_is_the_whole_host_of_a_url(text: str) -> None:
    try:
        bare = near_host(host(text))
    except ValueError:
        return
    parts = urlsplit(f"wss://{authority(text, 8443)}/ws")
    assert (parts.hostname, parts.port, parts.path, parts.username) == (bare.lower(), 8443, "/ws", None)
    assert (parts.query, parts.fragment) == ("", "")


NO_HOST = (
    "", " ", "a b", " a", "a\n", "a\r\nX-Evil: 1", "a\0", "https://a", "wss://a/ws", "a/ws", "a:8088", "[::1]:8088",
    "192.0.2.1:80", "u@a",
    "a?b", "a#b", "a\\b", "*", "-a", "a-", "a..b", ".a", ".", "a" * 64, "a." * 127 + "a", "[::1", "::1]", "[a]",
    "[192.0.2.1]", "::g",
    "1.2.3", "256.1.1.1", "1.2.3.4.5", "0x7f.1", "a.1", "a.0x", "010.1.1.1", "m\u00fcnchen.de", "\ud800", "\u2024",
    "a\u3002b", "%41",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_HOST, ids=range(len(NO_HOST)))
def test_what_is_no_host_is_refused_without_being_repeated(text: str) -> None:
    for check in (host, near_host):
        with pytest.raises(ValueError, match=r"is no host") as refused:
            check(text)
        assert len(text.strip()) < 4 or text not in str(refused.value)


def test_a_zone_is_for_this_machine_alone() -> None:
    assert (near_host("fe80::1%eth0"), near_host("[fe80::1%eth0]")) == ("fe80::1%eth0",) * 2
    with pytest.raises(ValueError, match="zone"):
        host("fe80::1%eth0")


@pytest.mark.parametrize("text", ["/", "/ws", "/a/b;c?d=e&f=%20", "//ws", "/~x/@:!$'()*+,=-._"])
def test_a_path_is_taken(text: str) -> None:
    assert url_path(text) == text


@pytest.mark.parametrize(
    "text", ["", "ws", "/a b", "/a#b", "/\\evil", "/%", "/%zz", "/\u00fc", "/a\n", '/"', "/<", "wss://a/ws", "/\0"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        url_path(text)


@pytest.mark.parametrize(
    "text",
    ["https://a.example.com", "http://localhost:3000", "http://[::1]:3000", "http://192.0.2.1", "capacitor://localhost",
     "chrome-extension://abcdefghijklmnop", "https://a:80", "null"],
)  # fmt: skip
def test_an_origin_is_taken(text: str) -> None:
    assert origin(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "*", "a.example.com", "https://", "https://a/", "https://a/x", "https://a?x", "https://a#x", "https://u@a",
    "https://A",
     "HTTPS://a", "https://a:443", "http://a:80", "https://a:0443", "https://a:", "https://a:99999", "https://a b",
     "https://a\n",
     "https://a\r\nX: 1", "https://a, https://b", "https://*.a", "https://m\u00fcnchen.de", "http://::1", "Null",
     "//a"],
)  # fmt: skip
def test_what_no_browser_sends_as_an_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        origin(text)
