"""Linphone's remote provisioning: the XML document that its apps read from a URL, at every start.

The document holds HA1, the MD5 hash of username, realm and SIP password, in place of the password. HA1 opens the
account just as well, so it is as secret. Linphone uses it in digest authentication with MD5, which Asterisk asks for.
"""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree as ET

from service.domain.provisioning.account import SipAccount, plain_name

NAMESPACE = "http://www.linphone.org/xsds/lpconfig.xsd"
REGISTRATION_EXPIRY = 300
"""Seconds that the phone asks for: the longest that Asterisk grants."""


def linphone_xml(account: SipAccount, config_uri: str) -> bytes:
    """Return the document. `config_uri` is the URL that the phone reads from its next start on.

    Each entry replaces the one that the phone has, under the index 0: a later document changes the account, and adds
    none.
    """
    host, name = _bracketed(account.host), plain_name(account.display_name) or account.endpoint
    sections = {
        "misc": {"config-uri": config_uri},
        "sip": {
            "default_proxy": "0",
            # Said for plain media too: the phone keeps what an earlier document said.
            "media_encryption": "srtp" if account.encrypts_media else "none",
            "media_encryption_mandatory": "1" if account.encrypts_media else "0",
        },
        "proxy_0": {
            "reg_proxy": f"<sip:{host}:{account.port};transport={account.transport}>",
            "reg_identity": f"{_quoted(name)} <sip:{account.endpoint}@{host}>",
            "reg_expires": str(REGISTRATION_EXPIRY),
            "reg_sendregister": "1",
        },
        "auth_info_0": {
            "username": account.endpoint,
            **({"userid": account.auth_username} if account.auth_username != account.endpoint else {}),
            "domain": host,
            "realm": account.realm,
            "ha1": _ha1(account),
            "algorithm": "MD5",
        },
    }
    root = ET.Element("config", {"xmlns": NAMESPACE})
    for name, entries in sections.items():
        section = ET.SubElement(root, "section", {"name": name})
        for key, value in entries.items():
            ET.SubElement(section, "entry", {"name": key, "overwrite": "true"}).text = value
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _ha1(account: SipAccount) -> str:
    text = f"{account.auth_username}:{account.realm}:{account.secret}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _quoted(name: str) -> str:
    """Return a display name as a quoted string of SIP (RFC 3261, 25.1). The name is on one line."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bracketed(host: str) -> str:
    bare = host.strip("[]")
    return f"[{bare}]" if ":" in bare else bare
