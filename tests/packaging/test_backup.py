"""The nightly backup of the package, and its restore onto a new machine: tokens and phones go on working there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.conftest import AMI_PORT, ENVIRONMENT
from tests.packaging.machine import Machine, booted, forwarded, made_root
from tests.packaging.test_package import ETC, SERVICE, as_user, serves
from tests.support.command_line import ROOT
from tests.support.documents import blocks
from tests.support.eventually import wait_until
from tests.support.pbx import Pbx

BACKUP = "asterisk-connector-backup.service"
TIMER = "asterisk-connector-backup.timer"
FOLDER = "/var/backups/asterisk-connector"
_, RESTORE, _ = blocks("docs/operations.md", heading="Backup and restore")
PHONES = "copy (select id, auth_type, username, password from ps_auths order by id) to stdout"
REGISTRATION = "http://127.0.0.1:8080/api/v1/connector.extension.getRegistrationInfoByExtension?extension=1001"


def from_the_page(word: str) -> str:
    """The only command of docs/operations.md in backquotes that names this."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (found,) = {command for command in re.findall(r"`([^`\n]+)`", page) if word in command and " " in command}
    return str(found)


def enabled(machine: Machine) -> None:
    machine.says("sh", "-c", from_the_page(TIMER))


def seen_by_asterisk(machine: Machine) -> str:
    """The accounts that its Asterisk reads, with their passwords."""
    password = machine.says("cat", f"{ETC}/owner-secrets/CALL_SERVERS__MAIN__DATABASE_PASSWORD").strip()
    url = "postgresql://asterisk_main@127.0.0.1/connector"
    return machine.says("env", f"PGPASSWORD={password}", "psql", url, f"--command={PHONES}")


@pytest.fixture
def another(package: Path, asterisk: Pbx) -> Iterator[Machine]:
    """A new machine with the package, PostgreSQL and no settings yet."""
    with booted(made_root()) as machine, forwarded(machine, AMI_PORT, asterisk.asterisk.config.ami_port):
        machine.says("apt-get", "install", "--yes", machine.put(package))
        yield machine


def test_systemd_finds_nothing_wrong_with_the_units_of_backups(installed: Machine) -> None:
    done = installed.run("systemd-analyze", "verify", BACKUP, TIMER)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    path = f"/usr/lib/systemd/system/{BACKUP}"
    done = installed.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path)
    assert done.returncode == 0, done.stdout


def test_a_night_makes_a_backup_and_removes_those_of_a_month_ago(installed: Machine) -> None:
    enabled(installed)
    assert installed.show(TIMER, "ActiveState")["ActiveState"] == "active"
    assert installed.show(TIMER, "UnitFileState")["UnitFileState"] == "enabled"
    names = ("asterisk-connector-1.backup", "asterisk-connector-2.backup", "x")
    old, recent, other = (f"{FOLDER}/{name}" for name in names)
    installed.says("touch", "--date=32 days ago", old, other)
    installed.says("touch", "--date=20 days ago", recent)
    installed.says("systemctl", "start", BACKUP)
    kept = installed.says("find", FOLDER, "-type", "f", "-printf", "%m %u %f\n").splitlines()
    (made,) = [line for line in kept if "asterisk-connector-20" in line]
    assert made.startswith("600 root ")
    assert sorted(line.split()[-1] for line in kept if line != made) == ["asterisk-connector-2.backup", "x"]
    installed.says("rm", recent, other)


def test_a_night_that_fails_keeps_all_backups_and_is_a_failed_unit(installed: Machine) -> None:
    old = f"{FOLDER}/asterisk-connector-1.backup"
    installed.says("touch", "--date=32 days ago", old)
    (drop_in := installed.path(f"/run/systemd/system/{BACKUP}.d")).mkdir(parents=True)
    nowhere = "CONNECTOR_OWNER_DATABASE_URL=postgresql://o@127.0.0.1:9/x"
    (drop_in / "wrong.conf").write_text(f"[Service]\nEnvironment={nowhere}\n")
    installed.says("systemctl", "daemon-reload")
    assert installed.run("systemctl", "start", BACKUP).returncode == 1
    assert installed.show(BACKUP, "ActiveState")["ActiveState"] == "failed"
    installed.says("rm", old)
    (drop_in / "wrong.conf").unlink()
    installed.says("systemctl", "daemon-reload")
    installed.says("systemctl", "reset-failed", BACKUP)


def test_on_a_new_machine_tokens_and_phones_go_on_working(installed: Machine, another: Machine) -> None:
    command = "asterisk-connector"
    installed.says(command, "user", "create", "ada", "--type", "admin", given="a long enough password\n")
    installed.says(command, "extension", "create", "1001", "--profile", "sip")
    installed.says(command, "extension", "assign", "1001", "ada")
    token, _, _, uid, *_ = installed.says(command, "token", "issue", "ada").split()
    headers = (f"X-User-Id: {uid}", f"X-Auth-Token: {token}")
    before = installed.get(REGISTRATION, *headers)
    accounts = seen_by_asterisk(installed)
    installed.says("systemctl", "start", BACKUP)
    (file,) = installed.says("sh", "-c", f"ls -t {FOLDER}/*.backup | head -1").split()

    # The settings come back from the operator's copy. Passwords of roles are made anew.
    another.path(ENVIRONMENT).write_text(installed.path(ENVIRONMENT).read_text())
    another.path("/root/night.backup").write_bytes(installed.path(file).read_bytes())
    another.says("asterisk-connector", "setup")
    another.says("sh", "-euc", RESTORE)
    another.says("systemctl", "enable", "--now", SERVICE)
    wait_until(lambda: serves(another), 60, "the new machine answers")
    after = another.get(REGISTRATION, *headers)
    assert after["extensionDetails"]["password"] == before["extensionDetails"]["password"]
    assert seen_by_asterisk(another) == accounts
    assert "1001" in accounts
    # The Asterisk of these tests reads another database, so a later `check` would miss the endpoint there.
    installed.says(
        *as_user("postgres"), "psql", "connector", "--command=delete from extensions where extension = '1001'"
    )
