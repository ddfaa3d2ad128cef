"""What somebody sees who types the first of the two commands and does what it says."""

from __future__ import annotations

import json
import re
import socket

from tests.e2e.program import Program
from tests.e2e.run import IN_TIME_S, Run, printed_lines
from tests.support import seeds


def test_it_prints_where_it_is_and_what_to_try(run: Run, program: Program) -> None:
    assert f"\nready: {run.base}\n" in program.printed
    *calls, phone = printed_lines(program)
    assert [line.split()[0] for line in calls] == ["curl", "curl"]
    assert phone.endswith("make phone EXT=12342")


def test_each_curl_line_that_it_prints_answers_what_is_documented(run: Run, program: Program) -> None:
    run.shows("Unavailable")
    first, second, _ = printed_lines(program)
    registration, user = (json.loads(run.bash(line).stdout) for line in (first, second))
    seeds.assert_documented(registration, user, state="Unavailable")


def test_both_documented_calls_replay_with_a_registered_phone(run: Run) -> None:
    with run.phone() as phone:
        phone.wait_registered()
        run.shows("Not in use", within_s=IN_TIME_S)
        seeds.assert_both_replay(run.base)
    run.shows("Unavailable", within_s=IN_TIME_S)


def test_the_registration_info_names_the_websocket_that_listens(run: Run) -> None:
    answer = json.loads(run.registration().text)
    port = answer["callServerConfig"]["websocketPort"]
    assert answer["callServerConfig"]["websocketPath"] == f"ws://{answer['host']}:{port}/ws"
    handshake = (
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: c29tZXRoaW5nIHJhbmRvbQ==\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
    )
    with socket.create_connection((answer["host"], int(port)), timeout=5) as connection:
        connection.sendall(handshake.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")


def test_each_line_of_the_log_says_whose_it_is(program: Program) -> None:
    before = program.printed.partition("\nready: ")[0]
    assert [
        line for line in before.splitlines() if not re.match(r"(setup|postgres|asterisk|service|run) *\| ", line)
    ] == []
