"""A managed and an imported Asterisk behind one service, and Rocket.Chat's order of calls with a phone on each.

On the imported one number, endpoint and auth username differ: 1005 rings `alice`, whose username is `alice-login`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from local.baresip import Phone, PhoneError
from service.db.migrate import migrate
from service.domain.models import Credentials
from service.settings import Settings
from tests.support.command_line import Done, command, environment
from tests.support.documents import BASE, blocks
from tests.support.eventually import eventually
from tests.support.existing.handwritten import ODD_SECRET
from tests.support.existing.pbx import ExistingPbx
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start, told

API = "/api/v1"
ASSIGN = f"{API}/omnichannel/agent/extension"
PEOPLE = {
    "nophone": ("hT5rLwQ8vKz2fYj6N", 1797, "demo-nophone-password"),
    "agent2": ("Sq7mWdXk3nPzT9cRb", 1796, "demo-agent2-password"),
}
OTHER_SECRET = "another; secret of 'alice'"
IN_TIME = 30.0
Import = Callable[[], Done]


@pytest.fixture
def settings(pbx: Pbx, vanilla_like: ExistingPbx) -> Settings:
    """Settings with both."""
    office = vanilla_like.call_server(
        credentials=Credentials.IMPORTED,
        database_role=None,
        database_password=None,
        websocket_scheme="ws",
        websocket_port=vanilla_like.asterisk.config.http_port,
    )
    main = pbx.settings(host="127.0.0.1").call_servers["main"]
    return pbx.database.settings(call_servers={"main": main, "office": office})


@pytest.fixture
def run_import(pbx: Pbx, vanilla_like: ExistingPbx) -> Import:
    """Imports from the hand-written Asterisk, as an operator does."""
    config = vanilla_like.asterisk.config
    office = {
        "HOST": "127.0.0.1",
        "AMI_HOST": "127.0.0.1",
        "AMI_PORT": str(config.ami_port),
        "MONITOR_SECRET": config.monitor_secret,
        "CREDENTIALS": "imported",
    }
    variables = environment(pbx.database, **{f"CALL_SERVERS__OFFICE__{name}": value for name, value in office.items()})
    arguments = ("extension", "import", "--call-server", "office", "--from-ami", "credentials", "--apply")
    return lambda: command(variables, *arguments, given=f"{vanilla_like.shape.accounts.credentials}\n")


@pytest.fixture
async def server(settings: Settings, run_import: Import, start: Start) -> Server:
    """A service over both, after an import. 1005 is nobody's."""
    await migrate(settings)
    done = await asyncio.to_thread(run_import)
    assert done.returncode == 0, done.stderr
    server = await start(settings)
    for name in PEOPLE:
        await server.client.delete(f"{ASSIGN}/{name}", headers=ADMIN)
    await asked(server, "PATCH", f"/user/{PEOPLE['nophone'][1]}", {"active": True})
    return server


async def asked(server: Server, method: str, path: str, given: Any = None, headers: dict[str, str] = ADMIN) -> Any:
    """The body of a 200."""
    answer = await server.client.request(method, path, json=given, headers=headers)
    assert answer.status == 200, await answer.text()
    return await answer.json()


def phone_of(details: dict[str, str], port: int, **options: Any) -> Phone:
    """A phone that is set up with registration info alone."""
    username = details.get("authUsername", details["extension"])
    options = {"auth_username": username, **options}
    return Phone(details["extension"], details["password"], "127.0.0.1", port, **options)


@asynccontextmanager
async def registered(phone: Phone) -> AsyncIterator[Phone]:
    with phone:
        await asyncio.to_thread(phone.wait_registered)
        yield phone


async def refused(phone: Phone) -> None:
    with phone, pytest.raises(PhoneError, match="refused"):
        await asyncio.to_thread(phone.wait_registered)


async def details_of(server: Server, uid: str) -> dict[str, str]:
    details: dict[str, str] = (await (await server.registration(uid)).json())["extensionDetails"]
    return details


@pytest.mark.parametrize("who", PEOPLE)
async def test_rocketchats_order_of_calls_with_an_endpoint_that_is_not_the_number(
    server: Server, pbx: Pbx, vanilla_like: ExistingPbx, who: str
) -> None:
    uid, _, password = PEOPLE[who]
    await asked(server, "POST", ASSIGN, {"username": who, "extension": "1005"})
    login = await asked(server, "POST", f"{API}/login", {"user": who, "password": password}, {})
    own = {"X-Auth-Token": login["data"]["authToken"], "X-User-Id": login["data"]["userId"]}
    me = await asked(server, "GET", f"{API}/me", headers=own)
    assert (login["data"]["me"]["extension"], me["extension"]) == ("1005", "1005")

    await server.shows("Unavailable", uid)
    info = await asked(server, "GET", f"{REGISTRATION}?id={uid}", headers=own)
    details = info["extensionDetails"]
    assert (info["host"], details) == (
        "127.0.0.1",
        {
            "extension": "alice",
            "password": ODD_SECRET,
            "authtype": "password",
            "state": "Unavailable",
            "authUsername": "alice-login",
        },
    )
    main_port, office_port = pbx.asterisk.config.sip_port, vanilla_like.asterisk.config.sip_port
    managed = await details_of(server, AGENT_UID)
    assert list(managed) == ["extension", "password", "authtype", "state"]
    async with registered(phone_of(details, office_port)), registered(phone_of(managed, main_port)):
        await server.shows("Not in use", uid)
        await server.shows("Not in use")

        async def subscribed() -> bool:
            path = f"{API}/voip/queues.getMembershipSubscription?extension={details['extension']}"
            membership = await asked(server, "GET", path, headers=own)
            return ([queue["name"] for queue in membership["queues"]], membership["extension"]) == (["office"], "alice")

        await eventually(subscribed, IN_TIME, "alice is a member of the queue office")
        path = f"{API}/voip/queues.getQueuedCallsForThisExtension?extension=alice"
        calls = {"queueCount": 1, "callWaitingCount": 0, "extension": "alice", "success": True}
        assert await asked(server, "GET", path, headers=own) == calls
        item = (await asked(server, "GET", f"{API}/presence/alice", headers=own))["presence"]
        assert {name: item[name] for name in ("extension", "username", "callServer", "registered", "state")} == {
            "extension": "1005",
            "username": who,
            "callServer": "office",
            "registered": True,
            "state": "Not in use",
        }
        for name in ("alice", "1005"):
            held = await asked(server, "GET", f"{API}/omnichannel/extensions?extension={name}&queues[]=office")
            assert [(each["extension"], each["username"]) for each in held["extensions"]] == [("1005", who)]
    await server.shows("Unavailable", uid)
    await server.shows("Unavailable")


async def test_a_phone_that_takes_the_endpoint_for_its_username_is_refused(
    server: Server, vanilla_like: ExistingPbx
) -> None:
    """So `authUsername` is no ornament."""
    await asked(server, "POST", ASSIGN, {"username": "nophone", "extension": "1005"})
    details, port = await details_of(server, PEOPLE["nophone"][0]), vanilla_like.asterisk.config.sip_port
    await refused(phone_of(details, port, auth_username=details["extension"]))
    async with registered(phone_of(details, port)):
        pass


async def test_the_documented_softphone_registers_as_an_endpoint_that_is_not_the_number(
    server: Server, tmp_path: Path
) -> None:
    """Over WebSocket, with the program of docs/api.md."""
    uid, _, password = PEOPLE["nophone"]
    await asked(server, "POST", ASSIGN, {"username": "nophone", "extension": "1005"})
    (shown,) = (block for block in blocks("docs/api.md", "python") if "REGISTER" in block)
    for documented, here in (
        (BASE, f"http://127.0.0.1:{server.port}"),
        ('"dnhai", "demo-agent-password"', f'"nophone", "{password}"'),
    ):
        assert documented in shown
        shown = shown.replace(documented, here)
    program = tmp_path / "softphone.py"
    program.write_text(shown)
    await server.shows("Unavailable", uid)
    process = await asyncio.create_subprocess_exec(sys.executable, program)
    try:
        await server.shows("Not in use", uid, within=20)
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 10)
        await server.shows("Unavailable", uid)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_owners_that_settings_and_database_name_otherwise_degrade_it_while_all_else_is_well(
    server: Server, pbx: Pbx, settings: Settings
) -> None:
    async def status_is(status: str) -> None:
        async def so() -> bool:
            body = await asked(server, "GET", "/readyz")
            return bool(body["status"] == status)

        await eventually(so, IN_TIME, f"readyz is {status}")

    await server.shows("Unavailable", AGENT_UID)
    await status_is("ready")
    await pbx.database.execute("update call_servers set credentials = 'managed' where name = 'office'")
    await pbx.database.execute("select pg_notify('connector_changes', 'extension *')")  # as `migrate` does
    await status_is("degraded")
    servers = (await asked(server, "GET", "/readyz"))["callServers"]
    assert [(servers[name]["credentials"], servers[name]["credentialsInDatabase"]) for name in ("main", "office")] == [
        ("managed", "managed"),
        ("imported", "managed"),
    ]
    await migrate(settings)
    await status_is("ready")


async def test_a_deactivated_person_is_answered_no_more_and_what_is_said_to_stay_valid_does(
    server: Server, pbx: Pbx, vanilla_like: ExistingPbx
) -> None:
    uid, user_id, password = PEOPLE["nophone"]
    await asked(server, "POST", ASSIGN, {"username": "nophone", "extension": "1005"})
    own = await server.login("nophone", password)
    details, port = await details_of(server, uid), vanilla_like.asterisk.config.sip_port
    answer = await server.client.patch(f"/user/{user_id}", json={"active": False}, headers=ADMIN)
    assert (answer.status, answer.headers["X-Unrevoked-Endpoints"]) == (200, "alice")
    assert (await server.registration(uid, own)).status == 401
    assert (await server.registration(uid)).status == 404
    assert (await server.client.get(f"{API}/presence/alice", headers=ADMIN)).status == 404
    async with registered(phone_of(details, port)):  # as the answer says
        pass
    rows = await pbx.database.rows("select secret from phones where endpoint = 'alice'")
    assert [row["secret"] for row in rows] == [ODD_SECRET]

    # On the managed one nothing is said, and nothing stays.
    managed = await details_of(server, AGENT_UID)
    answer = await server.client.patch("/user/1795", json={"active": False}, headers=ADMIN)
    assert (answer.status, answer.headers.get("X-Unrevoked-Endpoints")) == (200, None)
    await refused(phone_of(managed, pbx.asterisk.config.sip_port))
    await asked(server, "PATCH", "/user/1795", {"active": True})


async def test_a_password_that_is_changed_in_asterisk_and_imported_is_answered_and_registers(
    server: Server, vanilla_like: ExistingPbx, run_import: Import
) -> None:
    """What the refusal of a rotation tells an operator to do."""
    uid = PEOPLE["nophone"][0]
    await asked(server, "POST", ASSIGN, {"username": "nophone", "extension": "1005"})
    answer = await server.client.post(
        f"{API}/connector.extension.update", json={"extension": "1005", "secret": OTHER_SECRET}, headers=ADMIN
    )
    status, body = await told(answer)
    assert (status, body["error"].split(":")[0]) == (409, "Asterisk owns the endpoints of call server office")
    old, port = await details_of(server, uid), vanilla_like.asterisk.config.sip_port
    change_password(vanilla_like, OTHER_SECRET)
    try:
        assert (await asyncio.to_thread(run_import)).returncode == 0

        async def answered() -> bool:
            return (await details_of(server, uid))["password"] == OTHER_SECRET

        await eventually(answered, IN_TIME, "the new password is answered")
        await refused(phone_of(old, port))
        async with registered(phone_of(await details_of(server, uid), port)):
            await server.shows("Not in use", uid)
    finally:
        change_password(vanilla_like, ODD_SECRET)


def change_password(pbx: ExistingPbx, secret: str) -> None:
    """As an operator changes a password in pjsip.conf."""
    file = pbx.conf("pjsip.conf")
    lines, escaped = file.read_text().splitlines(), secret.replace(";", r"\;")
    lines[lines.index("username = alice-login") + 1] = f"password = {escaped}"
    file.write_text("\n".join(lines) + "\n")
    pbx.asterisk.rx("module reload res_pjsip.so")
