"""Asterisks whose files somebody wrote by hand: one with PJSIP only, one with chan_sip and IAX2 beside it."""

from __future__ import annotations

from tests.support.existing.common import (
    DIRECTORIES,
    GENERAL,
    HTTP,
    account,
    aor,
    auth,
    endpoint,
    md5_auth,
    own_accounts,
    queue,
    transports,
    trunk,
    wizard,
)
from tests.support.existing.shape import Accounts, ExistingPhone, Shape, new_secret

ODD_SECRET = 'al;ice\'s, "p@ss^word" 2026'
MODULES = """\
[modules]
autoload = yes
noload = chan_alsa.so
noload = chan_oss.so
noload = chan_console.so
noload = func_config.so
noload = func_curl.so
noload = func_env.so
noload = func_realtime.so
noload = func_shell.so
noload = func_sorcery.so
"""
PJSIP = "[global]\ntype = global\nendpoint_identifier_order = username,auth_username\n\n"
HINTS = "office"


def vanilla() -> Shape:
    """Names that differ: number, endpoint, user of the auth. A wizard's endpoint; a digest; a name outside ASCII."""
    accounts = Accounts()
    alice = ExistingPhone("1005", "alice", "alice-login", ODD_SECRET)
    kitchen = ExistingPhone("1008", "kitchen.2", "kitchen", new_secret())
    plain = ExistingPhone("1009", "1009", "1009", new_secret())
    made_by_wizard = ExistingPhone("1004", "1004", "1004", new_secret())
    odd = ExistingPhone("1010", "büro", "buero", new_secret())
    digest = ExistingPhone("1006", "1006", "1006", "")
    phones = (alice, kitchen, plain)
    devices: dict[str, tuple[str, ...]] = {phone.number: (phone.device,) for phone in (*phones, made_by_wizard)}
    devices["1100"] = (alice.device, kitchen.device)
    files = {
        **DIRECTORIES,
        "modules.conf": MODULES + "noload = chan_sip.so\n",
        "http.conf": HTTP,
        "manager.conf": GENERAL + account("admin", accounts.admin, "all", "all") + own_accounts(accounts),
        "pjsip.conf": PJSIP
        + transports("udp", "ws")
        + "".join(
            endpoint(phone, f"{phone.endpoint}-secret", HINTS) + auth(f"{phone.endpoint}-secret", phone)
            for phone in (*phones, odd)
        )
        + endpoint(digest, "1006-secret", HINTS)
        + md5_auth("1006-secret", "1006")
        + "".join(aor(phone.endpoint) for phone in (*phones, odd, digest))
        + trunk("carrier"),
        "pjsip_wizard.conf": wizard(made_by_wizard, HINTS),
        "extensions.conf": _dialplan(devices),
        "queues.conf": queue("office", ["PJSIP/alice", "pjsip/kitchen.2", "Local/1004@office/n"]),
    }
    members: dict[str, tuple[str, ...]] = {"office": ("1005", "1008", "1004")}
    return Shape(files, (*phones, made_by_wizard), ("büro", "1006", "carrier"), HINTS, devices, members, accounts)


def chan_sip() -> Shape:
    """Phones of three technologies; 1001 has one of each of two."""
    accounts = Accounts()
    sip = [ExistingPhone(number, number, number, new_secret(), technology="SIP") for number in ("1003", "1002")]
    iax = ExistingPhone("1007", "1007", "1007", new_secret(), technology="IAX2")
    plain = ExistingPhone("1001", "1001", "1001", new_secret())
    devices: dict[str, tuple[str, ...]] = {
        "1001": ("PJSIP/1001", "SIP/1002"),
        "1003": ("SIP/1003",),
        "1007": ("IAX2/1007",),
    }
    shape = Shape({}, (plain, *sip, iax), (), HINTS, devices, {"office": ("1001", "1003")}, accounts)
    shape.files.update(
        {
            **DIRECTORIES,
            "modules.conf": MODULES,
            "http.conf": HTTP,
            "manager.conf": GENERAL + account("admin", accounts.admin, "all", "all") + own_accounts(accounts),
            "pjsip.conf": PJSIP
            + transports("udp", "ws")
            + endpoint(plain, "1001-auth", HINTS)
            + auth("1001-auth", plain)
            + aor("1001"),
            "sip.conf": f"[general]\nudpbindaddr = @SIP_BIND@:{shape.sip_port}\ncontext = {HINTS}\n"
            "alwaysauthreject = yes\nqualify = yes\ncallcounter = yes\n\n" + "".join(_friend(phone) for phone in sip),
            "iax.conf": f"[general]\nbindaddr = @SIP_BIND@\nbindport = {shape.sip_port + 1}\n\n{_friend(iax)}",
            "extensions.conf": _dialplan(devices),
            "queues.conf": queue("office", ["SIP/1003", "Local/1001@office/n,0,Desk,hint:1001@office"]),
        }
    )
    return shape


def _friend(phone: ExistingPhone) -> str:
    """A section of sip.conf or iax.conf."""
    return (
        f"[{phone.endpoint}]\ntype = friend\nhost = dynamic\nsecret = {phone.secret}\ncontext = {HINTS}\n"
        "disallow = all\nallow = ulaw\n\n"
    )


def _dialplan(devices: dict[str, tuple[str, ...]]) -> str:
    lines = (
        f"exten => {number},1,Dial({'&'.join(parts)},30)\n same => n,Hangup()\n"
        f"exten => {number},hint,{'&'.join(parts)}\n"
        for number, parts in devices.items()
    )
    return (
        f"[{HINTS}]\n{''.join(lines)}exten => *43,1,Answer()\n same => n,Echo()\n same => n,Hangup()\n"
        "exten => 500,1,Answer()\n same => n,Queue(office,r)\n same => n,Hangup()\n\n[from-pstn]\n"
        f"exten => _X.,1,Goto({HINTS},500,1)\n"
    )
