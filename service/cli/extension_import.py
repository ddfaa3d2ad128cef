"""`extension import`: plans and applies an import of extensions that another system owns, from AMI or a CSV file."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from service.ami.accounts import Account
from service.ami.client import AmiLoginRefused
from service.ami.diagnostics.account_checks import refusal_remedy
from service.ami.endpoint_list import read_pbx
from service.cli.common import open_database, read_secret
from service.cli.import_report import facts, lines, rows
from service.cli.operator_origin import command_line_origin
from service.db import imports
from service.db.import_audit import log_import
from service.domain.extension_names import EXTENSION_NUMBER
from service.domain.imports.csv_source import MAX_BYTES, CsvSource, read_csv
from service.domain.imports.endpoints import read_source
from service.domain.models import Credentials
from service.errors import Invalid, NotFound, Refused
from service.settings import PREFIX, CallServer, Settings


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Read the source, then plan or apply, and report."""
    name = arguments.call_server
    server = _imported_server(settings, name)
    if arguments.prefix is not None and not EXTENSION_NUMBER.fullmatch(arguments.prefix):
        raise Invalid("a prefix is 1 to 40 of A-Z a-z 0-9 _ -")
    if arguments.from_ami is not None:
        read = await _read_ami(server, arguments.from_ami)
    else:
        read = read_csv(_file_content(arguments.from_csv))
    options = imports.Options(arguments.prefix, arguments.with_users, arguments.remove_gone, arguments.yes)
    async with open_database(settings) as database:
        if arguments.apply:
            planned = await imports.apply(database, name, read.source, options, origin=command_line_origin())
        else:
            planned = await imports.plan(database, name, read.source, options)
    if arguments.apply:
        log_import(name, "ami" if arguments.from_ami is not None else "csv", planned, options)
    heading = [*read.notices, *lines(planned, options, applied=arguments.apply)]
    report = {"call_server": name, "applied": arguments.apply, **facts(planned, options)}
    arguments.out.report(heading, rows(planned), ("change", "extension", "endpoint", "detail"), report)


def _imported_server(settings: Settings, name: str) -> CallServer:
    server = settings.call_servers.get(name)
    if server is None:
        known = ", ".join(sorted(settings.call_servers)) or "none"
        raise NotFound(f"there is no call server {name!r}; the settings have: {known}")
    if server.credentials is not Credentials.IMPORTED:
        raise Refused(
            f"call server {name} is managed: its Asterisk reads endpoints from this service. To import from it, set "
            f"{PREFIX}CALL_SERVERS__{name.upper()}__CREDENTIALS=imported and run migrate"
        )
    return server


async def _read_ami(server: CallServer, username: str) -> CsvSource:
    monitor = Account.monitor(server)
    reader = replace(monitor, username=username, secret=read_secret("AMI secret", confirm=False))
    progress = _progress if sys.stderr.isatty() else lambda done, total: None
    try:
        endpoints, hints = await read_pbx(monitor, reader, progress)
    except AmiLoginRefused as error:
        refused = monitor.username if repr(monitor.username) in str(error) else username
        raise Refused(f"{error}\n  {refusal_remedy(refused)}") from None
    return CsvSource(await asyncio.to_thread(read_source, endpoints, hints, server.hint_context))


def _progress(done: int, total: int) -> None:
    print(f"\rread {done} of {total} endpoints", end="\n" if done == total else "", file=sys.stderr, flush=True)


def _file_content(path: str) -> bytes:
    """Read a file, or standard input. Raises Invalid."""
    try:
        if path == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from None
