"""No secret reaches a terminal: not from a login, not from a mistake, not from PostgreSQL's own errors."""

from __future__ import annotations

import json
import socket

import pytest

from local import demo_data
from local.baresip import PhoneError
from service.cli.demo import SIP_PASSWORD
from tests.e2e.leaks import leaks
from tests.e2e.program import Program
from tests.e2e.run import IN_TIME_S, Run

AGENT, PASSWORD = "dnhai", "demo-agent-password"
OWN = {"user's password": "Password-of-Zoe-1", "extension's password": "Zq9x-k3y-of-779"}


def test_nothing_that_the_run_has_printed_is_a_secret(run: Run, program: Program) -> None:
    """Whatever the tests before this one did to it."""
    assert leaks(run, program.printed) == []


def test_neither_logins_nor_tokens_nor_mistakes_with_them_are_printed(run: Run, program: Program) -> None:
    headers = run.login(AGENT, PASSWORD)
    token = headers["X-Auth-Token"]
    body = {"email_or_name": demo_data.ADMIN, "password": demo_data.ADMIN_PASSWORD}
    answer = json.loads(run.request("POST", "/auth", body=body).text)
    run.request("POST", "/api/v1/login", body={"user": "nobody", "password": PASSWORD})
    run.request("POST", "/api/v1/login", body={"user": PASSWORD, "password": ""})
    run.request("POST", "/api/v1/login", body={"resume": token})
    run.request("POST", "/api/v1/login", body={"password": {"not": PASSWORD}})
    run.request("GET", f"/api/v1/me?token={token}", headers={"X-Auth-Token": token, "X-User-Id": "another"})
    run.request("GET", f"/no/such/path/{token}", headers=headers)
    run.request("POST", "/api/v1/logout", headers=headers)
    run.request("GET", "/api/v1/me", headers=headers)
    malformed(run, f"GET / HTTP/1.1\r\nX-Auth-Token {token}\r\n\r\n")
    malformed(run, f"{SIP_PASSWORD}\r\n\r\n")
    assert leaks(run, program.printed, {"token": token, "admin's token": answer["payload"]["token"]}) == []


def test_neither_commands_nor_their_refusals_print_what_was_typed(run: Run, program: Program) -> None:
    user, extension = (f"{secret}\n" for secret in OWN.values())
    typed = [
        (user, ("user", "create", "no@name")),
        (extension, ("extension", "create", "779", "--password-stdin")),
        (extension, ("extension", "create", "779", "--password-stdin")),
        (extension, ("extension", "create", "no number", "--password-stdin")),
        ("", ("extension", "delete", "779")),
    ]
    for given, arguments in typed:
        done = run.try_cli(*arguments, given=given)
        assert [name for name, secret in OWN.items() if secret in done.stdout + done.stderr] == []
        assert "Traceback" not in done.stderr
    assert leaks(run, program.printed, OWN) == []


def test_neither_asterisk_nor_a_phone_prints_its_password(run: Run, program: Program) -> None:
    with run.phone() as phone:
        phone.wait_registered()
    with run.phone(password="Wrong-SIP-password") as phone, pytest.raises(PhoneError, match="refused"):
        phone.wait_registered()
    run.shows("Unavailable", within_s=IN_TIME_S)
    assert leaks(run, program.printed, {"wrong password": "Wrong-SIP-password"}) == []


def malformed(run: Run, text: str) -> None:
    """What is no request; answered with 400 all the same."""
    with socket.create_connection(("127.0.0.1", run.http_port), timeout=5) as connection:
        connection.sendall(text.encode())
        assert connection.recv(4096).startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
