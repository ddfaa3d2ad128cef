"""Browser-Phone's account: the object `phoneOptions` of its page, SIP password included.

Written from the project's public description. It was not run against the program.
"""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from service.domain.models import WebSocketAddress
from service.domain.provisioning.account import SipAccount


def browser_phone_json(account: SipAccount, websocket: WebSocketAddress) -> str:
    """Return the object as indented JSON. Browser-Phone opens `wss` only: `ws` is no use to it."""
    url = urlsplit(websocket.websocket_url)
    options = {
        "profileName": account.shown_name,
        "wssServer": websocket.host,
        "WebSocketPort": str(websocket.websocket_port),
        "ServerPath": f"{url.path}?{url.query}" if url.query else url.path,
        "SipDomain": websocket.host,
        "SipUsername": account.endpoint,
        "SipPassword": account.secret,
    }
    return json.dumps(options, indent=2, ensure_ascii=False)
