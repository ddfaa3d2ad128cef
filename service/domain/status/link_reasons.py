"""Why the states of a whole call server are unknown."""

from __future__ import annotations

from service.domain.device_states import Freshness
from service.domain.status.facts import LinkCondition, LinkFailure
from service.domain.status.reason import COMMAND, Reason, ReasonCode
from service.domain.timestamps import rfc3339_ms

_CODES = {
    LinkFailure.UNREACHABLE: ReasonCode.UNREACHABLE,
    LinkFailure.LOGIN_REFUSED: ReasonCode.LOGIN_REFUSED,
    LinkFailure.CLASS_MISSING: ReasonCode.CLASS_MISSING,
    LinkFailure.ENDED: ReasonCode.LINK_DOWN,
}


def find_link_reason(link: LinkCondition) -> Reason | None:
    """Return why nothing of this call server is live; None if the link is live."""
    match link.freshness:
        case Freshness.LIVE:
            return _silent(link)
        case Freshness.SYNCHRONISING if link.failure is not LinkFailure.CLASS_MISSING:
            return Reason(
                ReasonCode.SYNCHRONISING,
                f"The link to {link.call_server} is connected, and its first snapshot is not complete: "
                "Asterisk boots, or its lists are being read.",
                "Ask again in a few seconds. After two minutes the log says what is missing.",
            )
    if link.failure is None:
        return Reason(
            ReasonCode.LINK_DOWN,
            f"The service has not connected to {link.call_server} yet.",
            "Ask again in a few seconds.",
        )
    return Reason(_CODES[link.failure], f"{_sentence(link.why_ended or 'the link ended')}.", _next_step(link))


def _silent(link: LinkCondition) -> Reason | None:
    if link.silent_since is None:
        return None
    return Reason(
        ReasonCode.SILENT,
        f"{link.call_server} has sent no proof of life since {rfc3339_ms(link.silent_since)}.",
        "Asterisk hangs, or the network drops its packets: look at Asterisk's machine. The link recovers by itself.",
    )


def _next_step(link: LinkCondition) -> str:
    settings = f"CONNECTOR_CALL_SERVERS__{link.call_server.upper()}__"
    match link.failure:
        case LinkFailure.LOGIN_REFUSED:
            return (
                f"Correct {settings}MONITOR_SECRET, or the account and its `permit` in manager.conf. "
                "Asterisk's log says which of them is wrong."
            )
        case LinkFailure.CLASS_MISSING:
            return (
                f"Correct the account in manager.conf, then `manager reload`: `{COMMAND} check` says what is missing."
            )
        case LinkFailure.UNREACHABLE if link.remedy is not None:
            return f"{_sentence(link.remedy)}."
    return f"The link reconnects by itself. If it does not, see whether Asterisk runs: `{COMMAND} check`."


def _sentence(text: str) -> str:
    """Return a text with a capital letter and without a full stop."""
    return text[:1].upper() + text[1:].rstrip(".")
