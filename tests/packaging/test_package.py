"""The Debian package on a machine with systemd: installed, started, harmed, upgraded, rolled back and purged.

The tests share a machine. Those at the end change what is installed on it.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from service.settings import files
from tests.packaging.conftest import ENVIRONMENT, documented
from tests.packaging.machine import Machine, booted, made_root
from tests.support.documents import blocks
from tests.support.eventually import wait_until

SERVICE = "asterisk-connector.service"
MIGRATE = "asterisk-connector-migrate.service"
UNITS = (SERVICE, MIGRATE, "asterisk-connector-setup.service")
ETC = "/etc/asterisk-connector"
OWNER_SECRET = f"{ETC}/owner-secrets/OWNER_DATABASE_PASSWORD"


def as_user(name: str) -> list[str]:
    """The beginning of a command that another user runs."""
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--clear-groups"]


def main_pid(machine: Machine) -> int:
    return int(machine.show(SERVICE, "MainPID")["MainPID"])


def serves(machine: Machine) -> bool:
    """Whether requests are answered."""
    program = "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=5)"
    return machine.run("python3", "-c", program).returncode == 0


def restarted(machine: Machine, former: int) -> None:
    """Wait until systemd has started another process, and it answers."""
    wait_until(lambda: main_pid(machine) not in (0, former) and serves(machine), 60, "it answers again")


def with_line(machine: Machine, line: str) -> None:
    """Add a line to the settings."""
    settings = machine.path(ENVIRONMENT)
    settings.write_text(f"{settings.read_text()}{line}\n")


def test_three_commands_lead_to_a_green_check(installed: Machine) -> None:
    done = installed.run("asterisk-connector", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "asterisk main" in done.stdout
    assert installed.show(SERVICE, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    assert installed.get("http://127.0.0.1:8080/readyz")["status"] == "ready"


def test_a_start_waits_until_requests_are_answered(installed: Machine) -> None:
    installed.says("systemctl", "restart", SERVICE)
    assert serves(installed)


def test_systemd_finds_nothing_wrong_with_the_units(installed: Machine) -> None:
    done = installed.run("systemd-analyze", "verify", *UNITS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS)
def test_each_unit_is_confined(installed: Machine, unit: str) -> None:
    path = f"/usr/lib/systemd/system/{unit}"
    done = installed.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", path)
    assert done.returncode == 0, done.stdout


def test_the_service_cannot_read_the_owners_password(installed: Machine) -> None:
    secret = installed.says("cat", OWNER_SECRET).strip()
    assert secret
    pid = main_pid(installed)
    # As the service sees the machine: its own user, its own mounts.
    inside = ["nsenter", "--target", str(pid), "--mount", *as_user("asterisk-connector")]
    readable = installed.says(*inside, "sh", "-c", "cat /run/credentials/asterisk-connector.service/*")
    assert secret not in readable
    assert len(readable.splitlines()) == 1  # the role's password
    for path in (OWNER_SECRET, ENVIRONMENT, f"/run/credentials/{MIGRATE}/owner-secrets_OWNER_DATABASE_PASSWORD"):
        done = installed.run(*inside, "cat", path)
        assert done.returncode == 1, path
        assert "ermission denied" in done.stderr or "No such file" in done.stderr
    assert secret not in installed.path(f"/proc/{pid}/environ").read_text()


def test_secrets_have_modes_of_their_own(installed: Machine) -> None:
    modes = installed.says("find", ETC, "-printf", "%m %u %g %P\n").splitlines()
    assert sorted(modes) == [
        "600 root root owner-secrets/CALL_SERVERS__MAIN__DATABASE_PASSWORD",
        "600 root root owner-secrets/OWNER_DATABASE_PASSWORD",
        "600 root root secrets/DATABASE_PASSWORD",
        "640 root root connector.env",
        "700 root root owner-secrets",
        "700 root root secrets",
        "755 root root ",
    ]


def test_a_command_has_the_settings_of_the_service(installed: Machine) -> None:
    given = "a long enough password\n"
    installed.says("asterisk-connector", "user", "create", "alice", "--type", "admin", given=given)
    assert "alice" in installed.says("asterisk-connector", "user", "list")
    refused = installed.run(*as_user("daemon"), "asterisk-connector", "user", "list")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: {ETC}/secrets cannot be read: ")
    helped = installed.run(*as_user("daemon"), "asterisk-connector", "--help")
    assert (helped.returncode, helped.stderr) == (0, "")


def test_the_command_reads_settings_as_systemd_does(installed: Machine) -> None:
    lines = [
        "# a comment",
        "A=plain",
        "B=two words # and more",
        'C="quoted \\" \\\\ \\$ \\n"',
        "D='single \"double\"'",
        'E=["10.0.0.0/8", "::1/128"]',
        r"F=back\slash\\ and\ space",
        "G=",
        "  H=spaces   ",
        "I=Zoë=b;c",
    ]
    (file := installed.path("/root/test.env")).write_text("\n".join(lines) + "\n")
    run = ["systemd-run", "--quiet", "--wait", "--pipe", "--property=EnvironmentFile=/root/test.env", "env"]
    systemds = dict(line.split("=", 1) for line in installed.says(*run).splitlines())
    ours = files.environment_file(file)
    assert set(ours) == set("ABCDEFGHI")
    assert {name: systemds.get(name, "") for name in ours} == ours


def test_a_killed_process_is_replaced(installed: Machine) -> None:
    former = main_pid(installed)
    installed.says("sh", "-c", f"kill -KILL {former}")
    restarted(installed, former)


def test_a_frozen_process_is_replaced(installed: Machine) -> None:
    drop_in = installed.path(f"/run/systemd/system/{SERVICE}.d")
    drop_in.mkdir(parents=True)
    (drop_in / "watchdog.conf").write_text("[Service]\nWatchdogSec=2\n")  # instead of 20: a test waits for it
    installed.says("systemctl", "daemon-reload")
    installed.says("systemctl", "restart", SERVICE)
    former = main_pid(installed)
    installed.says("sh", "-c", f"kill -STOP {former}")
    restarted(installed, former)
    assert "Watchdog timeout" in installed.journal(f"--unit={SERVICE}")
    (drop_in / "watchdog.conf").unlink()
    installed.says("systemctl", "daemon-reload")


def test_postgresql_that_comes_late_is_waited_for(installed: Machine) -> None:
    """As after a power cut: migrations and service fail, and nobody starts them again."""
    settings = installed.path(ENVIRONMENT).read_text()
    postgresql = f"postgresql@{installed.says('pg_lsclusters', '--no-header').split()[0]}-main.service"
    with_line(installed, "CONNECTOR_DATABASE_START_DEADLINE=1")
    installed.says("systemctl", "stop", SERVICE, MIGRATE, postgresql)
    assert installed.show(SERVICE, "Result")["Result"] == "success"
    assert installed.run("systemctl", "start", SERVICE).returncode == 1
    assert installed.show(MIGRATE, "Result")["Result"] == "exit-code"
    installed.says("systemctl", "start", postgresql)
    wait_until(lambda: serves(installed), 60, "it answers again")
    assert installed.show(MIGRATE, "ActiveState")["ActiveState"] == "active"
    installed.path(ENVIRONMENT).write_text(settings)


def test_a_reload_replaces_workers_and_collector_and_not_their_parent(installed: Machine) -> None:
    with_line(installed, "CONNECTOR_WORKERS=2")
    installed.says("systemctl", "restart", SERVICE)
    parent = main_pid(installed)
    wait_until(lambda: len(children(installed)) == 3, 60, "both workers run, and their collector")
    before = children(installed)
    installed.says("systemctl", "reload", SERVICE)

    def replaced() -> bool:
        now = children(installed)
        return len(now) == 3 and not now & before

    wait_until(replaced, 60, "all three are replaced")
    wait_until(lambda: installed.show(SERVICE, "ActiveState")["ActiveState"] == "active", 60, "the reload ended")
    assert main_pid(installed) == parent
    assert serves(installed)


def children(machine: Machine) -> set[str]:
    """The service's processes but its main one, by their ids on the machine."""
    control_group = machine.show(SERVICE, "ControlGroup")["ControlGroup"]
    pids = machine.says("cat", f"/sys/fs/cgroup{control_group}/cgroup.procs").split()
    return {pid for pid in pids if pid != str(main_pid(machine))}


def test_another_call_server_needs_settings_and_a_file(installed: Machine) -> None:
    for line in ("HOST=east.example.com", "AMI_HOST=127.0.0.1", "AMI_PORT=9", "DATABASE_ROLE=asterisk_east"):
        with_line(installed, f"CONNECTOR_CALL_SERVERS__EAST__{line}")
    installed.path(f"{ETC}/secrets/CALL_SERVERS__EAST__MONITOR_SECRET").write_text("its secret\n")
    installed.says("asterisk-connector", "setup")
    installed.says("systemctl", "restart", MIGRATE, SERVICE)
    done = installed.run("asterisk-connector", "check")
    assert "asterisk_east may read ps_endpoints" in done.stdout
    assert "asterisk east" in done.stdout


def test_it_serves_https_on_port_443_with_the_documented_drop_in(installed: Machine) -> None:
    settings = installed.path(ENVIRONMENT).read_text()
    installed.says("install", "--directory", "--mode=750", "--group=asterisk-connector", f"{ETC}/tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", f"{ETC}/tls/privkey.pem"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "90"]
    installed.says("openssl", "req", "-x509", *key, *subject, "-out", f"{ETC}/tls/fullchain.pem")
    installed.says("sh", "-c", f"chgrp asterisk-connector {ETC}/tls/*; chmod 640 {ETC}/tls/*")
    names = ("HTTP_PORT=443", f"TLS_CERTIFICATE_FILE={ETC}/tls/fullchain.pem", f"TLS_KEY_FILE={ETC}/tls/privkey.pem")
    for line in names:
        with_line(installed, f"CONNECTOR_{line}")
    assert installed.run("systemctl", "restart", SERVICE).returncode == 1
    (drop_in := installed.path(f"/etc/systemd/system/{SERVICE}.d")).mkdir()
    (drop_in / "override.conf").write_text("\n".join(documented("ini")))
    installed.says("systemctl", "daemon-reload")
    installed.says("systemctl", "restart", SERVICE)
    program = (
        "import ssl, urllib.request as u; "
        f"c = ssl.create_default_context(cafile='{ETC}/tls/fullchain.pem'); "
        "print(u.urlopen('https://localhost/livez', context=c, timeout=10).status)"
    )
    assert installed.says("python3", "-c", program) == "200\n"
    served = "import ssl; print(ssl.get_server_certificate(('localhost', 443)))"
    before = installed.says("python3", "-c", served)
    installed.says("mkdir", "/root/renewed")
    key[-1] = "/root/renewed/privkey.pem"
    installed.says("openssl", "req", "-x509", *key, *subject, "-out", "/root/renewed/fullchain.pem")
    _, hook = blocks("docs/operations.md", heading="HTTPS without a proxy")
    installed.says("env", "RENEWED_LINEAGE=/root/renewed", "sh", "-euc", hook)
    wait_until(lambda: installed.says("python3", "-c", served) != before, 60, "the renewed certificate is served")

    def believed() -> bool:
        """Whether it is the one in the file. Each worker takes it at a time of its own."""
        return installed.run("python3", "-c", program).stdout == "200\n"

    wait_until(believed, 60, "the renewed certificate is believed")
    shutil.rmtree(drop_in)
    shutil.rmtree(installed.path(f"{ETC}/tls"))
    installed.path(ENVIRONMENT).write_text(settings)
    installed.says("systemctl", "daemon-reload")
    installed.says("systemctl", "restart", SERVICE)


def test_without_the_owners_password_the_service_starts_and_nothing_migrates(installed: Machine) -> None:
    (secret := installed.path(OWNER_SECRET)).rename(secret.with_name(".kept"))
    installed.says("systemctl", "mask", "--runtime", "asterisk-connector-setup.service")
    try:
        installed.says("systemctl", "stop", MIGRATE)
        installed.says("systemctl", "restart", SERVICE)
        assert serves(installed)
        assert installed.show(MIGRATE, "ActiveState")["ActiveState"] == "inactive"
    finally:
        secret.with_name(".kept").rename(secret)
        installed.says("systemctl", "unmask", "--runtime", "asterisk-connector-setup.service")


def test_a_failed_migration_leaves_the_old_release_serving(installed: Machine, next_package: Path) -> None:
    former, settings = main_pid(installed), installed.path(ENVIRONMENT).read_text()
    (secret := installed.path(OWNER_SECRET)).rename(secret.with_name(".kept"))
    secret.write_text("not the password\n")
    with_line(installed, "CONNECTOR_DATABASE_START_DEADLINE=1")
    try:
        done = installed.run("dpkg", "--install", installed.put(next_package))
        assert done.returncode == 0, done.stderr
        assert "the old release goes on, because the migration failed" in done.stderr
        assert main_pid(installed) == former
        assert serves(installed)
    finally:
        secret.with_name(".kept").rename(secret)
        installed.path(ENVIRONMENT).write_text(settings)


def test_an_upgrade_and_the_way_back_keep_settings_secrets_and_data(
    installed: Machine, package: Path, next_package: Path
) -> None:
    def kept() -> dict[str, bytes]:
        names = [OWNER_SECRET, ENVIRONMENT, f"{ETC}/secrets/DATABASE_PASSWORD"]
        return {name: installed.path(name).read_bytes() for name in names}

    before = kept()
    for file, options in ((next_package, ["--reinstall"]), (package, ["--allow-downgrades"])):
        former = main_pid(installed)
        installed.says("apt-get", "install", "--yes", *options, installed.put(file))
        version = installed.says("dpkg-query", "--show", "--showformat=${Version}", "asterisk-connector")
        assert version == file.name.split("_")[1]
        assert main_pid(installed) not in (0, former)
        assert serves(installed)
        assert kept() == before
        assert "alice" in installed.says("asterisk-connector", "user", "list")


def test_a_purge_leaves_the_database_and_nothing_else(installed: Machine) -> None:
    installed.says("apt-get", "purge", "--yes", "asterisk-connector")
    found = installed.says("find", "/etc", "/usr", "/var/lib", "/run/systemd/system", "-name", "*asterisk*connector*")
    assert [path for path in found.splitlines() if not path.startswith("/run/")] == []
    assert "asterisk-connector" not in installed.says("systemctl", "list-units", "--all", "--plain")
    databases = installed.says(*as_user("postgres"), "psql", "--list", "--tuples-only")
    assert " connector " in databases


def test_the_package_names_no_folder_of_its_builder(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    found = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in found if path.suffix == ".pyc"] == []
    builder = str(Path(__file__).parents[2]).encode()
    assert [path for path in found if builder in path.read_bytes()] == []
    programs = {path.relative_to(tmp_path).as_posix() for path in found if path.stat().st_mode & 0o111}
    in_path = {path for path in programs if not path.endswith(".so") and not path.startswith("usr/share/doc/")}
    assert in_path == {"usr/bin/asterisk-connector"}


def test_another_python_than_debians_is_refused(package: Path) -> None:
    control = "Package: python3\nVersion: 3.99.0\nArchitecture: all\nMaintainer: nobody\nDescription: another Python\n"
    with booted(made_root()) as other:
        (folder := other.path("/root/python3/DEBIAN")).mkdir(parents=True)
        (folder / "control").write_text(control)
        other.says("dpkg-deb", "--build", "/root/python3", "/root/python3.deb")
        other.says("dpkg", "--install", "/root/python3.deb")
        done = other.run("apt-get", "install", "--yes", "--simulate", other.put(package))
        assert done.returncode == 100
        assert "asterisk-connector : Depends: python3 (< 3." in done.stdout + done.stderr
