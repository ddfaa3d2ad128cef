"""Parts of the configuration that several PBXs have: AMI accounts, transports, endpoints, queues."""

from __future__ import annotations

from collections.abc import Iterable

from tests.support.existing.shape import Accounts, ExistingPhone, own

FILTERS = "".join(
    f"eventfilter = ^Event: {event}\n"
    for event in (
        "DeviceStateChange",
        "ExtensionStatus",
        "PresenceStateChange",
        "ContactStatus",
        "FullyBooted",
        "Reload",
        "Shutdown",
        "QueueMember",
        "QueueCaller",
        "AgentComplete",
    )
)
"""The events that the service reads. `QueueMember` and `QueueCaller` are the beginnings of several names."""
GENERAL = """\
[general]
enabled = yes
webenabled = no
bindaddr = @AMI_BIND@
port = @AMI_PORT@
displayconnects = no

"""
HTTP = """\
[general]
enabled = yes
bindaddr = @HTTP_BIND@
bindport = @HTTP_PORT@
sessionlimit = 1000
"""
DIRECTORIES = own("asterisk.conf", "logger.conf", "rtp.conf", "indications.conf")


def account(name: str, secret: str, read: str, write: str, more: str = "") -> str:
    """A section of manager.conf."""
    return (
        f"[{name}]\nsecret = {secret}\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/32\n"
        f"read = {read}\nwrite = {write}\nwritetimeout = 5000\n{more}\n"
    )


def own_accounts(accounts: Accounts, filters: str = FILTERS) -> str:
    """The accounts of the service, as its documentation creates them."""
    return (
        account("monitor", "@MONITOR_SECRET@", "system,call,agent", "reporting", filters)
        + account("presence", "@PRESENCE_SECRET@", "", "call")
        + account("credentials", accounts.credentials, "", "system")
        + account("sync", "@SYNC_SECRET@", "", "command")
    )


def transports(udp: str, ws: str) -> str:
    """Two transports with these names."""
    return (
        f"[{udp}]\ntype = transport\nprotocol = udp\nbind = @SIP_BIND@:@SIP_PORT@\n\n"
        f"[{ws}]\ntype = transport\nprotocol = ws\nbind = @HTTP_BIND@:@HTTP_PORT@\n\n"
    )


def endpoint(phone: ExistingPhone, auth: str, context: str, more: str = "", name: str = "") -> str:
    """The section of an endpoint whose AOR has its name."""
    webrtc = "webrtc = yes\n" if phone.webrtc else ""
    caller = f"callerid = {name} <{phone.number}>\n" if name else ""
    return (
        f"[{phone.endpoint}]\ntype = endpoint\naors = {phone.endpoint}\nauth = {auth}\ncontext = {context}\n"
        f"disallow = all\nallow = ulaw,alaw\ndirect_media = no\n{caller}{webrtc}{more}\n"
    )


def auth(name: str, phone: ExistingPhone) -> str:
    """The section of its auth. In Asterisk's files a `;` begins a comment unless it is escaped."""
    secret = phone.secret.replace(";", r"\;")
    return f"[{name}]\ntype = auth\nauth_type = userpass\nusername = {phone.auth_username}\npassword = {secret}\n\n"


def aor(name: str, qualify: int = 60) -> str:
    """The section of an AOR for one phone."""
    return (
        f"[{name}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes\nminimum_expiration = 60\n"
        f"qualify_frequency = {qualify}\n\n"
    )


def trunk(name: str) -> str:
    """An endpoint without inbound auth, whose peer is never there."""
    return (
        f"[{name}]\ntype = endpoint\naors = {name}\noutbound_auth = {name}\ncontext = from-pstn\n\n"
        f"[{name}]\ntype = aor\ncontact = sip:192.0.2.1:5060\n\n"
        f"[{name}]\ntype = auth\nauth_type = userpass\nusername = account\npassword = of-the-provider\n\n"
        f"[{name}]\ntype = identify\nendpoint = {name}\nmatch = 192.0.2.1\n\n"
    )


def md5_auth(name: str, username: str) -> str:
    """An auth with a digest instead of a password."""
    digest = "0123456789abcdef0123456789abcdef"
    return f"[{name}]\ntype = auth\nauth_type = md5\nusername = {username}\nmd5_cred = {digest}\n\n"


def wizard(phone: ExistingPhone, context: str) -> str:
    """One section of pjsip_wizard.conf, from which Asterisk makes endpoint, AOR and auth `<name>-iauth`."""
    return (
        f"[{phone.endpoint}]\ntype = wizard\naccepts_auth = yes\naccepts_registrations = yes\n"
        f"inbound_auth/username = {phone.auth_username}\ninbound_auth/password = {phone.secret}\n"
        f"endpoint/context = {context}\nendpoint/allow = !all,ulaw\naor/max_contacts = 1\n\n"
    )


def queue(name: str, members: Iterable[str], more: str = "") -> str:
    """One section of queues.conf."""
    lines = "".join(f"member => {member}\n" for member in members)
    return f"[{name}]\nstrategy = ringall\nringinuse = no\njoinempty = yes\n{more}{lines}\n"
