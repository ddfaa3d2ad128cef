"""Why the states of a whole call server are unknown, and why no presence can be set in it."""

from __future__ import annotations

from service.domain.device_states import Freshness
from service.domain.status.facts import LinkCondition, LinkFailure, PresenceConnectionCondition
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
        case Freshness.NO_COLLECTOR:
            return Reason(
                ReasonCode.NO_COLLECTOR,
                f"No collector of {link.call_server} is heard on the bus.",
                "Look at NATS, then at the collectors: `bus` in /readyz says whether this process is connected. "
                "It recovers by itself.",
            )
    if link.failure is None:
        return Reason(
            ReasonCode.LINK_DOWN,
            f"The service has not connected to {link.call_server} yet.",
            "Ask again in a few seconds.",
        )
    return _failed(link.call_server, "MONITOR", link.failure, link.why_ended, link.remedy)


def find_presence_reason(connection: PresenceConnectionCondition) -> Reason | None:
    """Return why no presence can be set in a call server; None while its connection is open."""
    if connection.connected:
        return None
    if connection.failure is None:
        return Reason(
            ReasonCode.LINK_DOWN,
            f"The account that sets presence has not connected to {connection.call_server} yet.",
            "Ask again in a few seconds.",
        )
    return _failed(connection.call_server, "PRESENCE", connection.failure, connection.why_down, connection.remedy)


def _silent(link: LinkCondition) -> Reason | None:
    if link.silent_since is None:
        return None
    return Reason(
        ReasonCode.SILENT,
        f"{link.call_server} has sent no proof of life since {rfc3339_ms(link.silent_since)}.",
        "Asterisk hangs, or the network drops its packets: look at Asterisk's machine. The link recovers by itself.",
    )


def _failed(call_server: str, account: str, failure: LinkFailure, why: str | None, remedy: str | None) -> Reason:
    cause = f"{_sentence(why or 'the connection ended')}."
    return Reason(_CODES[failure], cause, _next_step(call_server, account, failure, remedy))


def _next_step(call_server: str, account: str, failure: LinkFailure, remedy: str | None) -> str:
    match failure:
        case LinkFailure.LOGIN_REFUSED:
            setting = f"CONNECTOR_CALL_SERVERS__{call_server.upper()}__{account}_SECRET"
            return (
                f"Correct {setting}, or the account and its `permit` in manager.conf. "
                "Asterisk's log says which of them is wrong."
            )
        case LinkFailure.CLASS_MISSING:
            return (
                f"Correct the account in manager.conf, then `manager reload`: `{COMMAND} check` says what is missing."
            )
        case LinkFailure.UNREACHABLE if remedy is not None:
            return f"{_sentence(remedy)}."
    connection = "link" if account == "MONITOR" else "connection"
    return f"The {connection} reconnects by itself. If it does not, see whether Asterisk runs: `{COMMAND} check`."


def _sentence(text: str) -> str:
    """Return a text with a capital letter and without a full stop."""
    return text[:1].upper() + text[1:].rstrip(".")
