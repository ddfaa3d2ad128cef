"""Phones outside of the containers: over the published ports, with the addresses that they are told."""

from __future__ import annotations

import re
import socket

from tests.compose.project import ECHO_TEST, Project
from tests.support.eventually import wait_until
from tests.support.stranger import Stranger

UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_the_websocket_that_softphones_are_told_of_speaks_sip(demo: Project) -> None:
    address = demo.registration()["callServerConfig"]
    assert address == {
        "websocketPort": str(demo.websocket_port),
        "websocketPath": f"ws://127.0.0.1:{demo.websocket_port}/ws",
    }
    with socket.create_connection(("127.0.0.1", demo.websocket_port), timeout=5) as connection:
        connection.sendall(UPGRADE.encode())
        answer = connection.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 101 ")
    assert "Sec-WebSocket-Protocol: sip" in answer


def test_a_call_is_heard_and_ends(plain: Project) -> None:
    """Only with Asterisk's outer address in SIP and SDP do the phone's voice and its goodbye arrive."""
    plain.command("extension", "create", "20002", "--profile", "sip", "--password-stdin", stdin="k3y-0f-Zq9x-20002\n")
    with plain.phone("20002", "k3y-0f-Zq9x-20002") as phone:
        phone.wait_registered()
        phone.dial(ECHO_TEST)
        phone.wait_for("CALL_ESTABLISHED")
        wait_until(lambda: heard(plain) > 10, 5, "RTP arrives")
        phone.hangup()
        wait_until(lambda: heard(plain) == 0, 5, "the call has ended in Asterisk")


def test_a_wrong_password_is_in_the_log_that_fail2ban_reads(plain: Project) -> None:
    Stranger(plain.sip_port, "127.0.0.1").tries("REGISTER")
    wanted = r"NOTICE.* 'REGISTER' from '<sip:12342@x>' failed for '[\d.]+:\d+' .* - Failed to authenticate"
    wait_until(lambda: bool(re.search(wanted, plain.compose("logs", "asterisk"))), 5, "it is logged")


def heard(project: Project) -> int:
    """RTP packets that Asterisk has received in the one call that there is; 0 without a call."""
    stats = project.inside("asterisk", "asterisk -rx 'pjsip show channelstats'")
    call = next((line.split() for line in stats.splitlines() if "20002" in line), None)
    return int(call[3]) if call else 0  # channel, time, codec, packets received
