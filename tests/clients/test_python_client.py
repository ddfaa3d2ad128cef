"""A client that openapi-python-client generates: whole, typed, and able to do what a softphone does."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clients.conftest import operations, run
from tests.support.server import Server

PACKAGE = "asterisk_connector_client"
PROGRAM = """\
import sys

from asterisk_connector_client import AuthenticatedClient, Client
from asterisk_connector_client.api.login import post_login
from asterisk_connector_client.api.presence import get_presence
from asterisk_connector_client.api.registration import get_connector_extension_get_registration_info_by_user_id as by_id
from asterisk_connector_client.models import LoginAnswer, Picture, RegistrationInfo, UserLogin

base = sys.argv[1]
with Client(base) as client:
    login = post_login.sync(client=client, body=UserLogin("dnhai", "demo-agent-password"))
assert isinstance(login, LoginAnswer), login
uid = login.data.user_id
with AuthenticatedClient(
    base, token=login.data.auth_token, prefix="", auth_header_name="X-Auth-Token", headers={"X-User-Id": uid}
) as own:
    info = by_id.sync(client=own, id=uid)
    assert isinstance(info, RegistrationInfo), info
    presence = get_presence.sync(client=own, extension=[info.extension_details.extension])
assert isinstance(presence, Picture), presence
(item,) = presence.presence
print(info.extension_details.extension, info.extension_details.state, item.state, item.registered)
"""


async def test_login_registration_info_and_presence(phoned: Server, description: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")  # no formatter
    generator = ["-m", "openapi_python_client", "generate", "--meta", "none", "--config", "config.yaml"]
    folder = tmp_path / PACKAGE
    told = await run([sys.executable, *generator, "--path", description, "--output-path", folder], tmp_path)
    assert told.split() == ["Generating", str(folder)], "it leaves out what it cannot read, and exits with 0"
    calls = [file for file in (folder / "api").glob("*/*.py") if file.name != "__init__.py"]
    assert len(calls) == len(operations(description))

    (tmp_path / "program.py").write_text(PROGRAM)
    await run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "mypy", "program.py"], tmp_path)
    base = f"http://127.0.0.1:{phoned.port}"
    printed = await run([sys.executable, "-W", "error", "program.py", base], tmp_path)
    assert printed.split("\n")[0] == "12342 Not in use Not in use True"
