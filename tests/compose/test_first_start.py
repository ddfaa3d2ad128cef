"""`docker compose up --build` from a fresh clone, with nothing prepared, and its command line."""

from __future__ import annotations

import json

from local import demo_data
from tests.compose.project import DEMO_ADMIN, IN_PRIVATE, SERVERS, Project


def test_it_is_ready_and_asterisk_is_live(plain: Project) -> None:
    plain_ready = plain.request("GET", "/readyz")
    assert (plain_ready.status, plain_ready.json()) == (200, {"status": "ready"})
    assert plain.request("GET", "/livez").status == 200


def test_the_demo_token_is_refused(plain: Project) -> None:
    answer = plain.request("GET", "/v1//user/1795", headers=DEMO_ADMIN)
    assert (answer.status, answer.json()["error_type"]) == (401, "unauthenticated_error")
    path = f"{demo_data.REGISTRATION_PATH}?id={demo_data.AGENT_UID}"
    assert plain.request("GET", path, headers=DEMO_ADMIN).status == 401


def test_there_is_no_default_account(plain: Project) -> None:
    assert len(plain.command("user", "list").splitlines()) == 1  # the headings
    credentials = {"user": demo_data.ADMIN, "password": demo_data.ADMIN_PASSWORD}
    assert plain.request("POST", "/api/v1/login", body=credentials).status == 401


def test_check_finds_everything_in_place(plain: Project) -> None:
    told = plain.command("check").splitlines()[1:]
    assert told
    assert [line for line in told if " ok " not in line and IN_PRIVATE not in line] == []


def test_an_up_that_changes_nothing_restarts_nothing(plain: Project) -> None:
    before = [plain.container(server)["State"]["StartedAt"] for server in SERVERS]
    plain.compose("up", "--detach", "--build", timeout_s=600)
    assert [plain.container(server)["State"]["StartedAt"] for server in SERVERS] == before


def test_the_demo_refuses_to_be_published_beyond_this_machine(plain: Project) -> None:
    for setting in ("HTTP_BIND", "PHONE_BIND"):
        arguments = ("--profile=demo", "run", "--rm", "--no-deps", "demo")
        refusal = plain.refused(*arguments, **{setting: "0.0.0.0"})
        assert "others can reach this service: CONNECTOR_PUBLISHED_ON names 0.0.0.0" in refusal
    assert len(plain.command("user", "list").splitlines()) == 1


def test_an_extension_made_while_all_runs_is_live_and_so_is_its_phone(plain: Project) -> None:
    plain.command("user", "create", "alice", stdin="alice-password\n")
    plain.command("extension", "create", "20001", "--profile", "sip", "--password-stdin", stdin="alice's SIP; 1\n")
    plain.command("extension", "assign", "20001", "alice")
    login = plain.request("POST", "/api/v1/login", body={"user": "alice", "password": "alice-password"})
    data = json.loads(login.text)["data"]
    alice = {"uid": data["userId"], "headers": {"X-User-Id": data["userId"], "X-Auth-Token": data["authToken"]}}
    plain.shows("Unavailable", **alice)
    with plain.phone("20001", "alice's SIP; 1") as phone:
        phone.wait_registered()
        plain.shows("Not in use", within_s=30, **alice)
        status = json.loads(plain.command("status", "20001", "--json"))
        assert (status["extension"]["live"], status["reason"]) == (True, None)
    plain.shows("Unavailable", within_s=30, **alice)
    assert plain.command("status", "--not-live").splitlines()[-1].startswith("main (managed): live since ")
