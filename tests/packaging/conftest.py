"""The package, and a machine on which an operator has installed it. Without root or mmdebstrap these tests fail."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.deb import make_package
from tests.packaging.machine import Machine, booted, forwarded, made_root
from tests.support.command_line import ROOT
from tests.support.database import TestDatabase
from tests.support.pbx import Pbx, make_pbx

ENVIRONMENT = "/etc/asterisk-connector/connector.env"
AMI_PORT = 5038


def documented(language: str) -> list[str]:
    """The lines of the block in this language that the documentation of the package has."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    section = page.partition("## With the Debian package")[2].partition("\n## ")[0]
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return str(block).splitlines()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests makes the root, whose packages it downloads."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="package")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make deb` makes."""
    return make_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="package")
def next_package(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Path:
    """The same with a higher revision, packed again: a build takes ten times as long."""
    tree = tmp_path_factory.mktemp("package") / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace("-1~deb", "-2~deb"))
    packed = tree.with_name(package.name.replace("-1~deb", "-2~deb"))
    subprocess.run(["dpkg-deb", "-Zzstd", "--root-owner-group", "--build", tree, packed], check=True)
    return packed


@pytest.fixture(scope="package")
def asterisk(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase) -> Iterator[Pbx]:
    """A real Asterisk, whose AMI the machine reaches. It reads another database."""
    made = make_pbx(tmp_path_factory, template)
    with made.asterisk:
        yield made


@pytest.fixture(scope="package")
def machine() -> Iterator[Machine]:
    """A machine without Python and PostgreSQL."""
    with booted(made_root()) as made:
        yield made


@pytest.fixture(scope="package")
def installed(machine: Machine, package: Path, asterisk: Pbx) -> Iterator[Machine]:
    """The three documented commands of an operator: install, edit, start. The editor's work is done here."""
    install, edit, start = documented("sh")
    assert edit.partition("#")[0].split() == ["editor", ENVIRONMENT]
    machine.path("/etc/apt/apt.conf.d/yes").write_text('APT::Get::Assume-Yes "true";\n')  # for want of a terminal
    machine.put(package)
    with forwarded(machine, AMI_PORT, asterisk.asterisk.config.ami_port):
        machine.says("sh", "-c", re.sub(r"asterisk-connector_\S+\.deb", package.name, install))
        settings = machine.path(ENVIRONMENT)
        text = settings.read_text()
        text = text.replace("#CONNECTOR_CALL_SERVERS__MAIN__HOST=", "CONNECTOR_CALL_SERVERS__MAIN__HOST=")
        secret = f"CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET={asterisk.asterisk.config.monitor_secret}"
        text = text.replace("#CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET=", secret)
        settings.write_text(text)
        machine.says("sh", "-c", start)
        yield machine
