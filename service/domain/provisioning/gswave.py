"""GS Wave's account: an XML document that a QR code holds, SIP password included.

Written from the vendor's description. It was not run against the app.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from service.domain.provisioning.account import SipAccount, plain_name

LONGEST_NAME = 40
"""Characters of a name: each makes the code denser, and harder to scan."""


def gswave_xml(account: SipAccount) -> bytes:
    """Return the document in ASCII: scanners guess the encoding of anything else.

    It has no element for the transport, which is UDP unless the user changes it in the app.
    """
    name = plain_name(account.shown_name, LONGEST_NAME)
    fields = {
        "RegisterServer": account.authority,
        "OutboundServer": "",
        "UserID": account.endpoint,
        "AuthID": account.auth_username,
        "AuthPass": account.secret,
        "AccountName": name,
        "DisplayName": name,
        "Dialplan": "{x+|*x+|*++}",
        "RandomPort": "0",
        "SecOutboundServer": "",
        "Voicemail": "",
    }
    elements = "".join(f"<{element}>{escape(text)}</{element}>" for element, text in fields.items())
    document = f"<AccountConfig version='1'><Account>{elements}</Account></AccountConfig>"
    return document.encode("ascii", "xmlcharrefreplace")
