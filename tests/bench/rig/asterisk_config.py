"""The real configuration of Asterisk, and what only these measurements need of it.

That is an account that sets states and shows endpoints, AMI over HTTP, ARI, and one endpoint in a file, so that
Asterisk can answer without PostgreSQL.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from local.asterisk_programs import TEMPLATES

BENCH, STATIC = "bench", "static1"
"""The account's name, of AMI and of ARI; the endpoint's."""
ACCOUNT = """
[{name}]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read =
write = system,call,reporting
writetimeout = 5000
"""
ENDPOINT = """
[{name}]
type = endpoint
aors = {name}
auth = {name}
context = extensions
disallow = all
allow = ulaw

[{name}]
type = auth
auth_type = userpass
username = {name}
password = my$up3erP@ssw0rd

[{name}]
type = aor
max_contacts = 1
"""
ARI = """
[general]
enabled = yes

[{name}]
type = user
read_only = yes
password = {secret}
"""
ARI_MODULES = (
    "res_websocket_client",
    "res_ari_model",
    "res_ari",
    "res_stasis",
    "res_stasis_device_state",
    "res_ari_device_states",
)


def write(etc: Path, secret: str) -> None:
    """Make the folder `etc`, of templates like those in asterisk/etc."""
    shutil.copytree(TEMPLATES / "etc", etc)
    manager = (etc / "manager.conf").read_text().replace("webenabled = no", "webenabled = yes")
    (etc / "manager.conf").write_text(manager + ACCOUNT.format(name=BENCH, secret=secret))
    (etc / "ari.conf").write_text(ARI.format(name=BENCH, secret=secret))
    with (etc / "modules.conf").open("a") as modules:
        modules.writelines(f"load = {name}.so\n" for name in ARI_MODULES)
    with (etc / "pjsip.conf").open("a") as pjsip:
        pjsip.write(ENDPOINT.format(name=STATIC))
    sorcery = (etc / "sorcery.conf").read_text().splitlines()
    (etc / "sorcery.conf").write_text("".join(f"{_with_file(line)}\n" for line in sorcery))


def _with_file(line: str) -> str:
    """A line of sorcery.conf that names a realtime view, with pjsip.conf asked first."""
    kind, _, wizard = line.partition("=")
    if not wizard.strip().startswith("realtime"):
        return line
    return f"{kind.strip()} = config,pjsip.conf,criteria=type={kind.strip()}\n{line}"
