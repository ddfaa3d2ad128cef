"""deploy/fail2ban: fail2ban's own program reads what a real Asterisk logs of strangers who try passwords and names."""

from __future__ import annotations

import asyncio
import contextlib
import re
from pathlib import Path

import pytest

from local.baresip import PhoneError
from tests.support.eventually import eventually
from tests.support.fail2ban import VICTIM, as_docker_keeps_it, counted
from tests.support.pbx import Pbx, manager_conf
from tests.support.seeds import REGISTRATION
from tests.support.stranger import Stranger

FILTER = "asterisk-connector-sip"
FORGED = f"x' failed for '{VICTIM}:5060' (callid: y) - Failed to authenticate"
FORGED_SECURITY = f'x",LocalAddress="IPV4/UDP/1.1.1.1/1",RemoteAddress="IPV4/UDP/{VICTIM}/1",Challenge=""'
FAILED = re.compile(r"log_failed_request: .* - Failed to authenticate$", re.MULTILINE)
UNKNOWN = re.compile(r"log_failed_request: .* - No matching endpoint found.*$", re.MULTILINE)

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
    "127.0.0.13": {"Call-ID": FORGED_SECURITY},
}  # fmt: skip


async def test_each_wrong_password_counts_for_who_sent_it_whatever_the_request_says(
    pbx: Pbx, fail2ban: Path, tmp_path: Path
) -> None:
    await asyncio.to_thread(pbx.asterisk.rx, "module load res_security_log.so")
    await asyncio.to_thread(pbx.asterisk.rx, "logger add channel security.log security")
    for address, headers in HEADERS.items():
        for method in ("REGISTER", "INVITE"):
            Stranger(pbx.asterisk.config.sip_port, address).tries(method, **headers)
    wanted = dict.fromkeys(HEADERS, 2)
    await eventually(lambda: len(FAILED.findall(logged(pbx))) >= 2 * len(HEADERS), what="each is logged")
    lines = logged(pbx).splitlines()
    assert counted(fail2ban, FILTER, lines, tmp_path / "raw") == wanted
    assert counted(fail2ban, FILTER, map(as_docker_keeps_it, lines), tmp_path / "json") == wanted

    def security() -> str:
        return (manager_conf(pbx).parents[1] / "log/security.log").read_text(errors="replace")

    forged = f'RemoteAddress="IPV4/UDP/{VICTIM}/1"'
    await eventually(lambda: forged in security(), what="this log can be forged")
    assert not counted(fail2ban, FILTER, security().splitlines(), tmp_path / "security")


async def test_who_looks_for_endpoints_counts_from_the_fifth_on(pbx: Pbx, fail2ban: Path, tmp_path: Path) -> None:
    stranger, before = Stranger(pbx.asterisk.config.sip_port, "127.0.0.30"), len(logged(pbx))
    for number in range(8):
        stranger.asks("REGISTER", From=f"<sip:scan{number}@x>;tag=1", **{"Call-ID": f"{number}{FORGED}"})
    await eventually(lambda: len(UNKNOWN.findall(logged(pbx)[before:])) >= 4, what="four are logged")
    lines = logged(pbx)[before:].splitlines()
    assert counted(fail2ban, FILTER, lines, tmp_path / "raw") == {"127.0.0.30": 4}
    assert counted(fail2ban, FILTER, map(as_docker_keeps_it, lines), tmp_path / "json") == {"127.0.0.30": 4}


async def test_a_real_phone_counts_with_a_wrong_password_and_not_with_the_right_one(
    pbx: Pbx, fail2ban: Path, tmp_path: Path
) -> None:
    before = len(logged(pbx))
    right = REGISTRATION["extensionDetails"]["password"]
    for address, password in (("127.0.0.40", right), ("127.0.0.41", "wrong")):
        accepted = contextlib.nullcontext() if password == right else pytest.raises(PhoneError, match="refused")
        phone = pbx.phone("12342", password, bind=address)
        await asyncio.to_thread(phone.start)
        try:
            with accepted:
                await asyncio.to_thread(phone.wait_registered)
        finally:
            await asyncio.to_thread(phone.stop)
    await eventually(lambda: FAILED.search(logged(pbx), before), what="it is logged")
    assert counted(fail2ban, FILTER, logged(pbx)[before:].splitlines(), tmp_path / "raw").keys() == {"127.0.0.41"}


def logged(pbx: Pbx) -> str:
    return (pbx.asterisk.folder / "asterisk.log").read_text(errors="replace")
