"""asterisk/fail2ban: fail2ban's own program reads what a real Asterisk logs of strangers who try passwords."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from local import debian
from local.asterisk_programs import TEMPLATES
from local.cache import cache_dir
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.stranger import Stranger

FOLDER = TEMPLATES / "fail2ban"
VICTIM = "9.9.9.9"
FORGED = f"x' failed for '{VICTIM}:5060' (callid: y) - Failed to authenticate"
FAILED = re.compile(r"log_failed_request: .* - Failed to authenticate$", re.MULTILINE)


@pytest.fixture(scope="session")
def fail2ban() -> Path:
    """Debian's or Ubuntu's package, extracted; its Python code runs with this Python."""
    return debian.extract(["fail2ban"], cache_dir() / "fail2ban")


def run(fail2ban: Path, program: str, *arguments: str | Path) -> str:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(fail2ban / "usr/lib/python3/dist-packages"), "TZ": "UTC"}
    command = [sys.executable, "-B", fail2ban / "usr/bin" / program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


HEADERS: dict[str, dict[str, str]] = {
    "127.0.0.2": {},
    "127.0.0.3": {"From": "<sip:nobody@x>;tag=1"},
    "127.0.0.4": {"Call-ID": FORGED},
    "127.0.0.5": {"From": f'"{FORGED}" <sip:12342@x>;tag=1'},
    "127.0.0.6": {"From": rf'"a\" <sip:b@c>{FORGED}\\" <sip:12342@x>;tag=1', "Call-ID": f"<\\>{FORGED}"},
    "127.0.0.7": {"From": "<sip:a'failed%20for%20'9.9.9.9:1'@x;b=c&d>;tag=1"},
    "127.0.0.8": {"Call-ID": f'a","stream":"stdout"}}\\n{{"log":"[2026-01-01 00:00:00.000] {FORGED}'},
    "127.0.0.9": {"From": "Somebody Else <sip:12342@x>;tag=1"},
    "127.0.0.10": {"From": "sip:12342@x;tag=1"},
    "127.0.0.11": {"From": f"<sip:12342@x>;tag=1;a=\"{FORGED}\""},
    "127.0.0.12": {"Call-ID": "\x1b[31m \u00fc <>&"},
}  # fmt: skip


async def test_each_wrong_password_counts_for_who_sent_it_whatever_the_request_says(
    pbx: Pbx, fail2ban: Path, tmp_path: Path
) -> None:
    for address, headers in HEADERS.items():
        for method in ("REGISTER", "INVITE"):
            Stranger(pbx.asterisk.config.sip_port, address).tries(method, **headers)
    wanted = dict.fromkeys(HEADERS, 2)
    await eventually(lambda: len(FAILED.findall(logged(pbx))) >= 2 * len(HEADERS), 10, "each is logged")
    lines = logged(pbx).splitlines()
    assert counted(fail2ban, lines, tmp_path / "raw") == wanted
    assert counted(fail2ban, [as_docker_keeps_it(line) for line in lines], tmp_path / "json") == wanted


def test_the_jail_bans_where_docker_forwards(fail2ban: Path, tmp_path: Path) -> None:
    shutil.copytree(fail2ban / "etc/fail2ban", tmp_path / "etc")
    shutil.copy(FOLDER / "filter.conf", tmp_path / "etc/filter.d/asterisk-connector.conf")
    (tmp_path / "etc/jail.d/ours.conf").write_text(
        (FOLDER / "jail.conf").read_text().replace("/var/lib", str(tmp_path))
    )
    (tmp_path / "etc/jail.d/defaults-debian.conf").unlink(missing_ok=True)  # of a log that is not here
    log = tmp_path / "docker/containers/1/1-json.log"
    log.parent.mkdir(parents=True)
    log.touch()
    told = run(fail2ban, "fail2ban-client", "-c", tmp_path / "etc", "-d")
    assert "'asterisk-connector', 'addlogpath', '" + str(log) in told
    assert "['protocol', 'all'], ['chain', 'DOCKER-USER']" in told
    assert "'logtimezone', 'UTC'" in told


def logged(pbx: Pbx) -> str:
    return (pbx.asterisk.folder / "asterisk.log").read_text(errors="replace")


def as_docker_keeps_it(line: str) -> str:
    """The driver json-file is written in Go, which spells these three so."""
    entry = {"log": f"{line}\n", "stream": "stdout", "time": "2026-11-26T14:24:11.768021Z"}
    text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def counted(fail2ban: Path, lines: list[str], file: Path) -> Counter[str]:
    """How often each address is found."""
    file.write_text("".join(f"{line}\n" for line in lines))
    told = run(fail2ban, "fail2ban-regex", "--out", "ip", file, FOLDER / "filter.conf")
    return Counter(told.split())
