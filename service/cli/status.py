"""`status`: what the running service knows of every extension, or of one; without a service, what is stored."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from urllib.parse import quote

from service.cli.common import open_database
from service.cli.output import Columns
from service.cli.service_client import NoAnswer, ServiceClient
from service.cli.status_rows import (
    COLUMNS,
    CONTACT_COLUMNS,
    DEVICE_COLUMNS,
    HISTORY_COLUMNS,
    Json,
    contact_row,
    device_row,
    directory_lines,
    extension_row,
    history_rows,
    history_sentence,
    summary,
    without_live,
)
from service.db import extensions
from service.domain.models import DeviceState
from service.errors import Ambiguous, NoSuchExtension
from service.settings import Settings

PAGE = 1000
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
            columns.print(map(extension_row, page["extensions"]))
    assert first is not None
    if arguments.json:
        arguments.out.record({**first, "extensions": rows, "next": None})
        return
    print()
    for line in summary(first):
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
    fields = extension_row(status)
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
    arguments.out.table([device_row(device) for device in details["devices"]], DEVICE_COLUMNS)
    if contacts := [contact_row(device, each) for device in details["devices"] for each in device["contacts"] or ()]:
        print()
        arguments.out.table(contacts, CONTACT_COLUMNS)
    if (history := details["history"]) is not None:
        print()
        arguments.out.line(history_sentence(history))
        if rows := history_rows(history):
            arguments.out.table(rows, HISTORY_COLUMNS)
    for line in directory_lines(details):
        arguments.out.line(line)


# --- without a service ---------------------------------------------------------------------------------------


async def _show_stored(settings: Settings, arguments: argparse.Namespace) -> None:
    name = arguments.extension
    async with open_database(settings) as database:
        stored = await extensions.list_stored(database, name, arguments.call_server)
    stored = [row for row in stored if row["extension"] == name] or stored
    if name is not None and not stored:
        raise NoSuchExtension(f"there is no extension {name!r}")
    if not arguments.json:
        rows = [{**row, "endpoints": " ".join(row["endpoints"])} for row in stored]
        arguments.out.table(rows, ("extension", "call_server", "enabled", "username", "user_active", "endpoints"))
    elif name is None:
        found = [without_live(row) for row in stored]
        arguments.out.record({"directory": None, "callServers": None, "extensions": found, "next": None})
    elif len(stored) > 1:
        raise Ambiguous(f"{name} is an endpoint of several extensions: {', '.join(row['extension'] for row in stored)}")
    else:
        (row,) = stored
        unknown = dict.fromkeys(("directory", "reason", "devices", "queues", "history"))
        arguments.out.record({**unknown, "extension": without_live(row), "localNumber": row["local_number"]})
