"""An Asterisk configured as FreePBX configures it."""

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

FIRST = 1001
TWIN_PREFIX = "99"
"""What the WebRTC endpoint of an extension has before its number."""
WIZARD, MD5, TRUNK = "3001", "3002", "provider"
NAMES = {"1001": "Ada Byron", "1002": 'Jürgen "JJ" O\'Neil', "1003": "Zoë, Sales"}
CLASSES = "system,call,log,verbose,command,agent,user,config,dtmf,reporting,cdr,dialplan,originate,message"
MODULES = """\
[modules]
autoload = yes
preload = pbx_config.so
noload = chan_alsa.so
noload = chan_oss.so
noload = chan_console.so
noload = chan_sip.so
noload = app_voicemail_imap.so
noload = app_voicemail_odbc.so
"""
PJSIP = """\
[global]
type = global
endpoint_identifier_order = ip,username,anonymous

#include pjsip.transports.conf
#include pjsip.endpoint.conf
#include pjsip.auth.conf
#include pjsip.aor.conf
#include pjsip.custom.conf
"""
DIALPLAN = """\
[from-internal]
include => ext-local
include => ext-queues
exten => *43,1,Answer()
 same => n,Echo()
 same => n,Hangup()

[from-queue]
exten => _X.,1,Goto(ext-local,${EXTEN},1)

[from-pstn]
exten => _X.,1,Goto(ext-queues,600,1)

[ext-queues]
exten => 600,1,Answer()
 same => n,Queue(600,r)
 same => n,Hangup()
exten => 601,1,Answer()
 same => n,Queue(601,r)
 same => n,Hangup()

[ext-local]
"""


def freepbx(extensions: int = 1000, twins: int = 5) -> Shape:
    """A PBX with that many extensions, of which the first have a WebRTC endpoint too, and three endpoints besides."""
    accounts = Accounts()
    desk = [_phone(str(number)) for number in range(FIRST, FIRST + extensions)]
    webrtc = [_phone(phone.number, TWIN_PREFIX) for phone in desk[:twins]]
    made_by_wizard = ExistingPhone(WIZARD, WIZARD, WIZARD, new_secret())
    both = [*desk, *webrtc]
    devices: dict[str, tuple[str, ...]] = {phone.number: (phone.device,) for phone in desk}
    devices |= {phone.number: (*devices[phone.number], phone.device) for phone in webrtc}
    queues: dict[str, tuple[str, ...]] = {"600": tuple(devices)[:2], "601": (*tuple(devices)[1:3], WIZARD)}
    files = {
        **DIRECTORIES,
        "modules.conf": MODULES,
        "http.conf": HTTP,
        "manager.conf": GENERAL
        + account("admin", accounts.admin, CLASSES, CLASSES)
        + "#include manager_additional.conf\n#include manager_custom.conf\n",
        "manager_additional.conf": "; made by the PBX\n",
        "manager_custom.conf": own_accounts(accounts),
        "pjsip.conf": PJSIP,
        "pjsip.transports.conf": transports("0.0.0.0-udp", "0.0.0.0-ws"),
        "pjsip.endpoint.conf": "".join(_endpoint(phone) for phone in both) + _md5() + trunk(TRUNK),
        "pjsip.auth.conf": "".join(auth(f"{phone.endpoint}-auth", phone) for phone in both)
        + md5_auth(f"{MD5}-auth", MD5),
        "pjsip.aor.conf": "".join(aor(phone.endpoint) for phone in both) + aor(MD5),
        "pjsip.custom.conf": "; the operator's own\n",
        "pjsip_wizard.conf": wizard(made_by_wizard, "from-internal"),
        "extensions.conf": DIALPLAN
        + "".join(_dialled(number, parts) for number, parts in devices.items())
        + _dialled(WIZARD, (made_by_wizard.device,)),
        "queues.conf": "[general]\n#include queues_additional.conf\n",
        "queues_additional.conf": "".join(queue(name, map(_member, members)) for name, members in queues.items()),
    }
    return Shape(
        files,
        (*both, made_by_wizard),
        (MD5, TRUNK),
        "ext-local",
        {**devices, WIZARD: (made_by_wizard.device,)},
        queues,
        accounts,
        {key: value for number, parts in devices.items() for key, value in _astdb(number, parts).items()},
    )


def name_of(number: str) -> str:
    """The display name of an extension's user."""
    return NAMES.get(number, f"Person {number}")


def _phone(number: str, prefix: str = "") -> ExistingPhone:
    return ExistingPhone(number, prefix + number, prefix + number, new_secret(), webrtc=bool(prefix))


def _endpoint(phone: ExistingPhone) -> str:
    return endpoint(phone, f"{phone.endpoint}-auth", "from-internal", name=name_of(phone.number))


def _md5() -> str:
    return endpoint(ExistingPhone(MD5, MD5, MD5, ""), f"{MD5}-auth", "from-internal", name=f"Person {MD5}")


def _dialled(number: str, devices: tuple[str, ...]) -> str:
    dialled = "&".join(devices)
    return (
        f"exten => {number},1,Dial({dialled},30)\n same => n,Hangup()\n"
        f"exten => {number},hint,{dialled}&Custom:DND{number},CustomPresence:{number}\n"
    )


def _member(number: str) -> str:
    return f"Local/{number}@from-queue/n,0,{name_of(number).replace(',', '')},hint:{number}@ext-local"


def _astdb(number: str, devices: tuple[str, ...]) -> dict[str, str]:
    endpoints = [device.partition("/")[2] for device in devices]
    user = {"cidname": name_of(number), "cidnum": number, "device": "&".join(endpoints)}
    return {f"/AMPUSER/{number}/{key}": value for key, value in user.items()}
