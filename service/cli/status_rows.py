"""What `status` prints: rows, sentences, and the form of a stored extension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.domain.models import device_of
from service.domain.phone_kinds import PHONE_KINDS

Json = Mapping[str, Any]
MAX_CELL = 40
"""Maximum length of a text in a table that a stranger chooses, such as a user agent."""
COLUMNS = (
    *("extension", "user", "call server", "state", "live", "since", "devices", "address", "client", "presence", "why"),
)
DEVICE_COLUMNS = (
    *("device", "phone", "kind", "label", "state", "live", "counted", "registrations", "last fetched"),
    *("auth username", "missing"),
)
HISTORY_COLUMNS = ("at", "registration", "until")
CONTACT_COLUMNS = ("registered as", "address", "client", "expires", "answers", "round trip")
_LIVE_FIELDS = (
    *("state", "live", "reason", "since", "registered", "reachable", "address", "userAgent", "presence", "message"),
)


def extension_row(status: Json) -> dict[str, Any]:
    """Return an extension's row; its columns are COLUMNS."""
    return {
        "extension": status["extension"],
        "user": _short(status["username"]),
        "call server": status["callServer"],
        "state": status["state"],
        "live": status["live"],
        "since": _seconds(status["since"]),
        "devices": _short(" ".join(status["devices"]) or None),
        "address": status["address"],
        "client": _short(status["userAgent"]),
        "presence": status["presence"],
        "why": status["reason"],
    }


def summary(page: Json) -> Iterator[str]:
    """Return a line per call server, those about the bus, and one about PostgreSQL if memory is not its content."""
    for server in page["callServers"] or ():
        counts = f"{server['extensions']} extensions, {server['liveExtensions']} live, "
        counts += f"{server['registeredExtensions']} registered."
        if not server["inSettings"]:
            yield f"{server['name']}: not in the settings. {counts}"
            continue
        reason = server["reason"]
        why = f" {reason['cause']} {reason['nextStep']}" if reason is not None else ""
        yield (
            f"{server['name']} ({server['credentials']}): {server['freshness']} since {_seconds(server['since'])}. "
            f"{counts}{why}{_presence_sentences(server)}"
        )
    yield from _bus_lines(page.get("bus"))
    yield from directory_lines(page)


def _bus_lines(bus: Json | None) -> Iterator[str]:
    """Return a line about the bus, and one for each call server that is followed over it."""
    if bus is None:
        return
    yield f"bus: {bus['role']}, {'connected' if bus['connected'] else 'not connected. The log names the error'}."
    for name, server in bus["callServers"].items():
        heard = [_heard(each) for each in server["collectors"]]
        yield f"  {name}: follows {server['followed'] or 'no collector'}; hears {', '.join(heard) or 'none'}."


def _heard(collector: Json) -> str:
    return str(collector["name"]) + (f" ({collector['why']})" if collector["why"] else "")


def _presence_sentences(server: Json) -> str:
    """Return why no presence can be set, unless the link says the same."""
    link, connection = server["reason"], server["presence"]
    if connection is None or connection["connected"]:
        return ""
    reason = connection["reason"]
    if link is not None and link["cause"] == reason["cause"]:
        return " No presence can be set either."
    return f" No presence can be set: {reason['cause']} {reason['nextStep']}"


def directory_lines(answer: Json) -> Iterator[str]:
    """Return the line about PostgreSQL, if memory is not its content."""
    directory = answer["directory"]
    if directory["freshness"] != "live":
        yield (
            f"PostgreSQL: {directory['freshness']}, nothing later than {_seconds(directory['staleSince'])} is known. "
            "The log names the error."
        )


def device_row(device: Json) -> dict[str, Any]:
    """Return a device's row; its columns are DEVICE_COLUMNS."""
    phone = device["phone"] or {}
    return {
        "device": device["device"],
        "phone": phone.get("id"),
        "kind": phone.get("kind"),
        "last fetched": _last_fetched(phone),
        "state": device["state"],
        "live": device["live"],
        "counted": device["counted"],
        "registrations": None if device["contacts"] is None else len(device["contacts"]),
        "label": _short(phone.get("label") or None),
        "auth username": phone.get("authUsername"),
        "missing": phone.get("missing"),
    }


def _last_fetched(phone: Json) -> str | None:
    """Return when and from where a phone fetched its configuration; None if unknown, or if it has none to fetch."""
    if phone.get("fetched"):
        return f"{_seconds(phone['lastFetchedAt'])} from {phone['lastFetchedFrom'] or 'an unknown address'}"
    kind = PHONE_KINDS.get(phone.get("kind", ""))
    return "never fetched" if phone.get("fetched") is False and kind is not None and kind.set_up is not None else None


def contact_row(device: Json, contact: Json) -> dict[str, Any]:
    """Return a registration's row; its columns are CONTACT_COLUMNS."""
    round_trip = contact["roundTripMs"]
    return {
        "registered as": device["device"],
        "address": contact["address"],
        "client": contact["userAgent"],
        "expires": _seconds(contact["expiresAt"]),
        "answers": contact["reachable"],
        "round trip": None if round_trip is None else f"{round_trip:.1f} ms",
    }


def history_rows(history: Json) -> list[dict[str, Any]]:
    """Return the rows of transitions and of times without observation; their columns are HISTORY_COLUMNS."""
    names = {True: "registered", False: "lost", None: "unknown"}
    rows = [
        {
            "at": _seconds(change["at"]),
            "registration": names[change["registered"]] if change["exact"] else f"found {names[change['registered']]}",
            "until": None,
        }
        for change in history["changes"]
    ]
    rows += [
        {"at": _seconds(span["since"]), "registration": "not observed", "until": _seconds(span["until"])}
        for span in history["notObserved"]
    ]
    return sorted(rows, key=lambda row: str(row["at"]))


def history_sentence(history: Json) -> str:
    """Return the sentence about losses of the last day."""
    flapping = " It is flapping: five losses within an hour." if history["flapping"] else ""
    losses = "no loss" if not history["losses"] else f"{history['losses']} losses"
    return f"Registration in the last day: {losses if history['losses'] != 1 else 'one loss'}.{flapping}"


def without_live(stored: Json) -> dict[str, Any]:
    """Return a stored extension in the form of `GET /status`; what only a running service knows is null."""
    return {
        "extension": stored["extension"],
        "callServer": stored["call_server"],
        "enabled": stored["enabled"],
        "userId": stored["uid"],
        "username": stored["username"],
        "devices": [device_of(endpoint) for endpoint in stored["endpoints"]],
        **dict.fromkeys(_LIVE_FIELDS),
    }


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


def _seconds(moment: str | None) -> str | None:
    """Return an RFC 3339 time without its milliseconds."""
    return None if moment is None else f"{moment.partition('.')[0].rstrip('Z')}Z"
