"""docker-compose.prod.yml: one name and port 443 for all, and nothing beside it that need not be there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import shlex
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from local import node
from tests.compose.docker import docker
from tests.compose.production import NAME, REPLICAS, Production
from tests.compose.project import ROOT
from tests.e2e.browser import conftest as browser_tests
from tests.e2e.browser.conftest import Site
from tests.e2e.browser.test_softphone import bundled
from tests.support.browser import browser
from tests.support.certificates import Issued, issue
from tests.support.documents import BASE, blocks
from tests.support.eventually import wait_until

SERVERS = ("caddy", *REPLICAS, "postgres", "asterisk")
PORTS = (443, 2019, 5038, 5432, 8080, 8088, 9100)
TO_CADDY_AND_SERVICE = {"caddy": {443}, "service": {8080, 9100}, "service-b": {8080, 9100}}
"""Ports of those that listen on each of their networks."""
PROBE = """
import concurrent.futures, json, socket, sys
def open_(target):
    try:
        socket.create_connection((target[1], target[2]), 1).close()
    except OSError:
        return None
    return [target[0], target[2]]
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(json.dumps([found for found in pool.map(open_, json.loads(sys.argv[1])) if found]))
"""


def test_registration_info_is_that_of_the_seed_but_for_the_name(production: Production) -> None:
    headers = production.person("anna", "2001", "webrtc", "k3y-0f-Zq9x-2001")
    answer = production.ask(
        f"/api/v1/connector.extension.getRegistrationInfoByUserId?id={headers['X-User-Id']}", headers
    )
    assert answer["host"] == NAME
    assert answer["callServerConfig"] == {"websocketPort": "443", "websocketPath": f"wss://{NAME}/ws"}


def test_only_443_sip_and_rtp_are_published(production: Production) -> None:
    published = {
        (name, f"{binding['HostPort']}/{port.split('/')[1]}")
        for name in SERVERS
        for port, bindings in production.container(name)["NetworkSettings"]["Ports"].items()
        for binding in bindings or ()
    }
    ports = [production.sip_port, *production.rtp]
    assert published == {("caddy", "443/tcp"), *(("asterisk", f"{port}/udp") for port in ports)}


def test_metrics_and_the_details_of_readiness_are_inside_only(production: Production) -> None:
    assert production.ask("/readyz") == {"status": "ready"}
    for path in ("/metrics", "/status", "/httpstatus", "/ari/api-docs/resources.json"):
        assert production.status_of(path) in (401, 404), path
    inside = "import urllib.request as u; print(u.urlopen('http://service-b:9100/metrics').read().decode())"
    network = (f"--network={production.name}_metrics", "--entrypoint=python", f"{production.image}:1.0.0")
    assert "connector_link_freshness" in docker("run", "--rm", *network, "-c", inside)


def test_each_container_reaches_those_whom_the_table_names_and_nobody_else(production: Production) -> None:
    """All addresses and ports are tried from each container's network namespace."""
    addresses = {name: production.addresses(name) for name in SERVERS}
    targets = [(name, address, port) for name in SERVERS for address in addresses[name].values() for port in PORTS]
    documented = rows_of_the_table()
    for name in SERVERS:
        image = f"{production.image}:1.0.0"
        container = f"--network=container:{production.name}-{name}-1"
        others = [target for target in targets if target[0] != name]
        told = docker("run", "--rm", container, "--entrypoint=python", image, "-c", PROBE, json.dumps(others))
        beside = {other for other in SERVERS if other != name and addresses[other].keys() & addresses[name].keys()}
        wanted = {(other, port) for other in beside for port in TO_CADDY_AND_SERVICE.get(other, ())}
        wanted |= {(to, port) for source, to, port in documented if source == name}
        assert {(to, port) for to, port in json.loads(told)} == wanted, name


def rows_of_the_table() -> set[tuple[str, str, int]]:
    text = (ROOT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| (`[a-z`, -]+`) \| (`[a-z`, -]+`) \| (\d+)[^|]* \| `[a-z-]+` \|", text, re.MULTILINE)
    return {
        (source, to, int(port))
        for sources, tos, port in rows
        for source in re.findall("[a-z-]+", sources)
        for to in re.findall("[a-z-]+", tos)
        if source in SERVERS
    }


@pytest.mark.parametrize("name", SERVERS)
def test_only_caddy_and_asterisk_have_a_way_out(production: Production, name: str) -> None:
    routes = docker(
        "run",
        "--rm",
        f"--network=container:{production.name}-{name}-1",
        "--entrypoint=cat",
        f"{production.image}:1.0.0",
        "/proc/net/route",
    )
    has_default = any(line.split()[1] == "00000000" for line in routes.splitlines()[1:])
    assert has_default is (name in ("caddy", "asterisk"))


@pytest.mark.parametrize("name", [*SERVERS, "settings", "secrets", "owner", "migrate"])
def test_each_container_has_limits_and_no_privilege(production: Production, name: str) -> None:
    container = production.container(name)
    host = container["HostConfig"]
    assert 0 < host["Memory"] == host["MemorySwap"] <= 2 << 30
    assert 0 < host["PidsLimit"] <= 512
    assert container["Config"]["User"].split(":")[0] not in ("", "0", "root")
    assert (host["CapDrop"], host["Privileged"], host["SecurityOpt"]) == (["ALL"], False, ["no-new-privileges:true"])
    assert host["CapAdd"] == (["CAP_NET_BIND_SERVICE"] if name == "caddy" else None) or host["CapAdd"] == [
        "NET_BIND_SERVICE"
    ]
    assert host["ReadonlyRootfs"] is (name != "postgres")


def test_the_account_sync_does_not_exist_unless_it_is_asked_for(production: Production) -> None:
    assert "ami_sync" not in {**production.secrets("service"), **production.secrets("asterisk")}
    assert "sync" not in production.inside("asterisk", "asterisk -rx 'manager show users'")


def test_no_token_is_in_a_log_of_caddy(production: Production) -> None:
    """Neither in the path, nor in the query, nor in a header of a request."""
    headers = {"X-Auth-Token": "token-in-a-header", "Referer": f"https://{NAME}/p/token-in-a-referer"}
    paths = ("/p/token-in-a-path", "//%70/token-in-a-path?a=b", "/api/v1/presence/stream?ticket=token-in-a-query")
    for path in (*paths, "/ws?token-in-a-query"):
        production.status_of(path, headers)
    logged = production.compose("logs", "caddy")
    assert logged.count("handled request") > len(paths)
    assert "token-in-a" not in logged


def test_the_service_believes_caddy_what_address_a_client_has(production: Production) -> None:
    """And nobody else: a client cannot choose the address that the login limit counts."""
    forged = {"X-Forwarded-For": "192.0.2.77"}
    assert production.status_of("/api/v1/me", {"X-Auth-Token": "no-such-token", "X-User-Id": "x", **forged}) in (
        401,
        404,
    )
    rows = json.loads(production.command("audit", "list", "--action", "token.refused", "--json"))
    assert rows
    assert "192.0.2.77" not in json.dumps(rows)


def test_given_certificates_are_served_and_a_reload_replaces_an_expired_one(
    production: Production, tmp_path: Path
) -> None:
    """As with a certificate that another program renews."""
    names = f"DNS:{NAME}"
    given = {"CADDY_TLS": "/tls/fullchain.pem /tls/privkey.pem", "TLS_FOLDER": str(tmp_path)}
    put(tmp_path, issue(tmp_path, "expired", names=names, days=(-2, -1)))
    try:
        with production.given(**given):
            production.write_env()
            production.compose("up", "--detach", "--no-deps", "--wait", "caddy")
            new = issue(tmp_path, "renewed", names=names)
            with pytest.raises(ssl.SSLCertVerificationError, match="has expired"):
                production.handshake(ssl.create_default_context(cafile=tmp_path / "fullchain.pem"))
            put(tmp_path, new)
            production.compose("exec", "-T", "caddy", *shlex.split(documented_reload()))
            wait_until(lambda: production.trusts(new.trusting()), 10, "the new certificate is served")
    finally:
        production.write_env()
        production.compose("up", "--detach", "--no-deps", "--wait", "caddy")
    wait_until(lambda: production.trusts(production.authority()), 30, "Caddy's own certificate is served again")


def put(folder: Path, issued: Issued) -> None:
    """As the user of Caddy's container can read it."""
    folder.chmod(0o755)
    for source, name in ((issued.certificate, "fullchain.pem"), (issued.key, "privkey.pem")):
        (folder / name).write_bytes(source.read_bytes())
        (folder / name).chmod(0o644)


def documented_reload() -> str:
    (found,) = re.findall(r"docker compose exec caddy (caddy reload .*)", (ROOT / "docs/operations.md").read_text())
    return str(found)


@pytest.fixture
async def site(page_socket: socket.socket) -> AsyncIterator[Site]:
    made = Site(page_socket.getsockname()[1])
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, page_socket).start()
    yield made
    await runner.cleanup()


async def test_a_browser_registers_through_caddy_and_its_state_is_live(
    production: Production, site: Site, tmp_path: Path
) -> None:
    """The softphone of docs/api.md, with another address and somebody else's password.

    It does not call: a browser on the machine of the containers reaches them by two ways, and ICE fails.
    """
    await asyncio.to_thread(production.person, "browser", "2002", "webrtc", "k3y-0f-Zq9x-2002")
    (program,) = blocks("docs/api.md", "js")
    program = program.replace(BASE, f"https://{NAME}").replace("dnhai", "browser")
    program = program.replace("demo-agent-password", "browser-password").replace('.once("registered"', '.once("never"')
    modules = await asyncio.to_thread(node.modules, Path(browser_tests.__file__).parent)
    url = site.runs("softphone", await asyncio.to_thread(bundled, program, modules, tmp_path))
    names = f"--host-resolver-rules=MAP {NAME} {production.address}, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    trusted = f"--ignore-certificate-errors-spki-list={await asyncio.to_thread(key_of_the_authority, production)}"
    async with browser(names, trusted) as chromium, chromium.page(url) as page:
        await page.says("state: Unavailable")
        await page.says("registered")
        await page.says("state: Not in use")
        assert [line for line in page.console if not line.startswith("log: ")] == []


def key_of_the_authority(production: Production) -> str:
    """The hash of the public key of the certificate that signs Caddy's, as Chromium wants it."""
    signer = production.inside("caddy", "cat /data/caddy/pki/authorities/local/intermediate.crt")
    key = subprocess.run(
        ["openssl", "x509", "-noout", "-pubkey"], input=signer, capture_output=True, text=True, check=True
    ).stdout
    der = base64.b64decode("".join(key.splitlines()[1:-1]))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()
