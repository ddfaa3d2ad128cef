"""deploy/fail2ban: fail2ban reads the files where docs/operations.md puts them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.fail2ban import FOLDER, run


def test_the_jails_ban_where_docker_forwards(fail2ban: Path, tmp_path: Path) -> None:
    shutil.copytree(fail2ban / "etc/fail2ban", tmp_path / "etc")
    (tmp_path / "etc/jail.d/defaults-debian.conf").unlink(missing_ok=True)  # of a log that is not here
    shutil.copytree(FOLDER, tmp_path / "etc", dirs_exist_ok=True)
    jails = tmp_path / "etc/jail.d/asterisk-connector.conf"
    jails.write_text(jails.read_text().replace("/var/lib", str(tmp_path)))
    log = tmp_path / "docker/containers/1/1-json.log"
    log.parent.mkdir(parents=True)
    log.touch()
    told = run(fail2ban, "fail2ban-client", "-c", tmp_path / "etc", "-d")
    for jail, protocol in (("login", "tcp"), ("sip", "all")):
        lines = [line for line in told.splitlines() if f"'asterisk-connector-{jail}'" in line]
        assert any(f"'addlogpath', '{log}'" in line for line in lines)
        assert any(f"['protocol', '{protocol}'], ['chain', 'DOCKER-USER']" in line for line in lines)
        assert any("'logtimezone', 'UTC'" in line for line in lines)
        assert any("'addfailregex'" in line for line in lines)
