"""An Asterisk configured as MikoPBX configures it."""

from __future__ import annotations

from tests.support.existing.common import (
    DIRECTORIES,
    GENERAL,
    HTTP,
    account,
    aor,
    auth,
    endpoint,
    own_accounts,
    queue,
    transports,
    trunk,
)
from tests.support.existing.shape import Accounts, ExistingPhone, Shape, new_secret

NUMBERS = ("201", "202", "203", "204")
TRUNK = "SIP-TRUNK-5F2A"
QUEUE = "QUEUE-1A2B3C"
EXCLUDED = "eventfilter = !UserEvent: CdrConnector\neventfilter = !Event: Newexten\n"
"""Its page of AMI users writes exclusions only; there is no way to include."""
MODULES = """\
app_dial app_echo app_queue app_stack app_verbose bridge_builtin_features bridge_holding bridge_simple
bridge_softmix chan_iax2 chan_pjsip codec_alaw codec_g722 codec_resample codec_ulaw format_pcm format_wav
func_callerid func_channel func_config func_cut func_db func_devstate func_dialplan func_groupcount func_logic
func_pjsip_aor func_pjsip_contact func_pjsip_endpoint func_strings func_timeout func_uri pbx_config res_crypto
res_http_websocket res_musiconhold res_parking res_pjproject res_pjsip res_pjsip_acl
res_pjsip_authenticator_digest res_pjsip_caller_id res_pjsip_dtmf_info res_pjsip_endpoint_identifier_anonymous
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_exten_state res_pjsip_logger
res_pjsip_nat res_pjsip_outbound_authenticator_digest res_pjsip_outbound_registration res_pjsip_path
res_pjsip_pubsub res_pjsip_refer res_pjsip_registrar res_pjsip_rfc3326 res_pjsip_sdp_rtp res_pjsip_session
res_pjsip_transport_websocket res_rtp_asterisk res_sorcery_astdb res_sorcery_config res_sorcery_memory res_srtp
res_timing_timerfd
"""
ADDED = """\
load => res_manager_devicestate.so
load => res_manager_presencestate.so
load => func_presencestate.so
load => func_module.so
noload => func_config.so
"""
"""What docs/existing-pbx.md has an operator add to the end of modules.conf."""
PJSIP = """\
[global]
type = global
endpoint_identifier_order = username,ip,anonymous

"""
DIALPLAN = f"""\
[all_peers]
include => internal
include => queues
exten => *43,1,Answer()
 same => n,Echo()
 same => n,Hangup()

[queues]
exten => 500,1,Answer()
 same => n,Queue({QUEUE},r)
 same => n,Hangup()

[internal-incoming]
exten => _X.,1,Goto(queues,500,1)

"""


def mikopbx() -> Shape:
    """A PBX with four extensions, each with a desk and a WebRTC endpoint that share an auth; and a trunk."""
    accounts = Accounts()
    secret = {number: new_secret() for number in NUMBERS}
    desk = [ExistingPhone(number, number, number, secret[number]) for number in NUMBERS]
    webrtc = [ExistingPhone(number, f"{number}-WS", number, secret[number], webrtc=True) for number in NUMBERS]
    everything = "call,cdr,originate,reporting,agent,config,dialplan,dtmf,log,system,command,verbose,user"
    files = {
        **DIRECTORIES,
        "modules.conf": "[modules]\nautoload = no\n"
        + "".join(f"load => {name}.so\n" for name in MODULES.split())
        + ADDED,
        "http.conf": HTTP,
        "manager.conf": GENERAL
        + account("phpagi", accounts.admin, "all", "all")
        + account("admin", accounts.admin, everything, everything, EXCLUDED)
        + own_accounts(accounts, EXCLUDED),
        "pjsip.conf": PJSIP
        + transports("transport-udp", "transport-ws")
        + "".join(auth(f"{phone.number}-AUTH", phone) for phone in desk)
        + "".join(aor(phone.endpoint) for phone in (*desk, *webrtc))
        + "".join(
            endpoint(phone, f"{phone.number}-AUTH", "all_peers", name=f"Person {phone.number}")
            for phone in (*desk, *webrtc)
        )
        + trunk(TRUNK),
        "sorcery.conf": "",
        "extensions.conf": DIALPLAN + _internal() + _hints(),
        "queues.conf": queue(QUEUE, [f'Local/{n}@internal/n,0,"{n}",hint:{n}@internal-hints' for n in NUMBERS[:3]]),
    }
    devices: dict[str, tuple[str, ...]] = {number: (f"PJSIP/{number}", f"PJSIP/{number}-WS") for number in NUMBERS}
    members: dict[str, tuple[str, ...]] = {QUEUE: NUMBERS[:3]}
    return Shape(files, (*desk, *webrtc), (TRUNK,), "internal-hints", devices, members, accounts)


def _internal() -> str:
    lines = (f"exten => {n},1,Dial(PJSIP/{n}&PJSIP/{n}-WS,30)\n same => n,Hangup()\n" for n in NUMBERS)
    return "[internal]\n" + "".join(lines) + "\n"


def _hints() -> str:
    lines = (f"exten => {n},hint,PJSIP/{n}&PJSIP/{n}-WS&Custom:{n}\n" for n in NUMBERS)
    return "[internal-hints]\n" + "".join(lines)
