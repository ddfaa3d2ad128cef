"""`status`: what the running service knows of every extension, or of one; without a service, what is stored."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from service.cli.common import open_database
from service.cli.output import Columns
from service.cli.service_client import NoAnswer, ServiceClient
from service.db import extensions
from service.domain.models import DeviceState
from service.errors import NoSuchExtension
from service.settings import Settings

Json = Mapping[str, Any]
PAGE = 1000
MAX_CELL = 40
"""Maximum length of a text in a table that a stranger chooses, such as a user agent."""
COLUMNS = (
    *("extension", "user", "call server", "state", "live", "since", "devices", "address", "client", "presence", "why"),
)
STATES = {state.value.lower(): state.value for state in DeviceState}


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print the status. The exit code is 1 if no service answers."""
    service = ServiceClient(settings)
    try:
        if arguments.extension is None:
            await _show_all(service, arguments)
        else:
            await _show_one(service, settings, arguments)
        sys.stdout.flush()
    except NoAnswer as error:
        arguments.out.failed(f"{error}. What is stored follows")
        await _show_stored(settings, arguments)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        service.close()
    return 0


# --- every extension -----------------------------------------------------------------------------------------


async def _show_all(service: ServiceClient, arguments: argparse.Namespace) -> None:
    columns, first, rows = Columns(COLUMNS), None, []
    async for page in _pages(service, arguments):
        first = first or page
        if arguments.json:
            rows += page["extensions"]
        elif page["extensions"] or page is first:
            columns.print(map(_row, page["extensions"]))
    assert first is not None
    if arguments.json:
        arguments.out.record({**first, "extensions": rows, "next": None})
        return
    print()
    for line in _summary(first):
        arguments.out.line(line)


async def _pages(service: ServiceClient, arguments: argparse.Namespace) -> AsyncIterator[Json]:
    filters = {
        "callServer": arguments.call_server,
        "state": STATES[arguments.state] if arguments.state is not None else None,
        "live": "false" if arguments.not_live else None,
    }
    after: str | None = None
    while True:
        page = await service.get("/status", **filters, after=after, limit=PAGE)
        yield page
        after = page["next"]
        if after is None:
            return


def _row(status: Json) -> dict[str, Any]:
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


def _summary(page: Json) -> Iterator[str]:
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
            f"{counts}{why}"
        )
    yield from _directory_lines(page)


def _directory_lines(answer: Json) -> Iterator[str]:
    directory = answer["directory"]
    if directory["freshness"] != "live":
        yield (
            f"PostgreSQL: {directory['freshness']}, nothing later than {_seconds(directory['staleSince'])} is known. "
            "The log names the error."
        )


# --- one extension -------------------------------------------------------------------------------------------


async def _show_one(service: ServiceClient, settings: Settings, arguments: argparse.Namespace) -> None:
    try:
        details = await service.get(f"/status/{quote(arguments.extension, safe='')}")
    except NoSuchExtension:
        async with open_database(settings) as database:
            if not await extensions.list_stored(database, arguments.extension):
                raise NoSuchExtension(f"there is no extension {arguments.extension!r}") from None
        raise NoAnswer(
            f"PostgreSQL has {arguments.extension!r}, and the service does not know it yet: repeat the command, "
            f"then see whether `directory` in {service.url}/readyz is stale"
        ) from None
    if arguments.json:
        arguments.out.record(details)
        return
    status, reason = details["extension"], details["reason"]
    fields = _row(status)
    del fields["why"], fields["address"], fields["client"]
    fields["devices"] = " ".join(status["devices"]) or None
    fields |= {name: status[name] for name in ("enabled", "registered", "reachable")}
    fields["message"] = status["message"] or None
    fields["queues"] = None if details["queues"] is None else ", ".join(details["queues"])
    fields["why"] = reason["code"] if reason is not None else None
    arguments.out.record(fields)
    print()
    if reason is not None:
        arguments.out.line(f"{reason['cause']} {reason['nextStep']}")
        print()
    arguments.out.table([_device_row(device) for device in details["devices"]], DEVICE_COLUMNS)
    if contacts := [_contact_row(device, each) for device in details["devices"] for each in device["contacts"] or ()]:
        print()
        arguments.out.table(contacts, CONTACT_COLUMNS)
    for line in _directory_lines(details):
        arguments.out.line(line)


DEVICE_COLUMNS = ("device", "state", "live", "counted", "registrations", "label", "auth username", "missing")
CONTACT_COLUMNS = ("registered as", "address", "client", "expires", "answers", "round trip")


def _device_row(device: Json) -> dict[str, Any]:
    phone = device["phone"] or {}
    return {
        "device": device["device"],
        "state": device["state"],
        "live": device["live"],
        "counted": device["counted"],
        "registrations": None if device["contacts"] is None else len(device["contacts"]),
        "label": _short(phone.get("label") or None),
        "auth username": phone.get("authUsername"),
        "missing": phone.get("missing"),
    }


def _contact_row(device: Json, contact: Json) -> dict[str, Any]:
    round_trip = contact["roundTripMs"]
    return {
        "registered as": device["device"],
        "address": contact["address"],
        "client": contact["userAgent"],
        "expires": _seconds(contact["expiresAt"]),
        "answers": contact["reachable"],
        "round trip": None if round_trip is None else f"{round_trip:.1f} ms",
    }


# --- without a service ---------------------------------------------------------------------------------------


async def _show_stored(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        stored = await extensions.list_stored(database, arguments.extension, arguments.call_server)
    if arguments.extension is not None and not stored:
        raise NoSuchExtension(f"there is no extension {arguments.extension!r}")
    rows = [{**row, "endpoints": row["endpoints"] if arguments.json else " ".join(row["endpoints"])} for row in stored]
    arguments.out.table(rows, ("extension", "call_server", "enabled", "username", "user_active", "endpoints"))


# --- cells ---------------------------------------------------------------------------------------------------


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"


def _seconds(moment: str | None) -> str | None:
    """Return an RFC 3339 time without its milliseconds."""
    return None if moment is None else f"{moment.partition('.')[0].rstrip('Z')}Z"
