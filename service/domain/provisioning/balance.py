"""A balance, as Groundwire's balance checker reads it: the phone shows the text beside the account.

Written from the vendor's description. It was not run against the app.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from service.domain.models import DeviceState, Reading


def balance_xml(reading: Reading) -> bytes:
    """Return the live state of a line in Asterisk's words; `Unknown` for one that is not live."""
    state = reading.state if reading.live else DeviceState.UNKNOWN
    text = f"<response><error>0</error><balanceString>{escape(state.value)}</balanceString></response>"
    return text.encode()
