"""`secrets key|status|rekey`: keys that encrypt SIP passwords in PostgreSQL."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from service.cli.common import group, open_database
from service.cli.operator_origin import command_line_origin
from service.db.secret_rekey import Rekey, StoredCallServer, rekey_session
from service.db.secret_status import DEADLINE, secret_status
from service.domain.secret_keys import asterisk_setting
from service.errors import CallServerUnavailable, ConfigurationError, NotFound, Refused
from service.settings import Settings

NO_KEY = "CONNECTOR_SECRETS_KEY is not set: `openssl rand -hex 32` makes a key"
COLUMNS = ("call server", "owner", "key", "phones", "encrypted", "other key", "plain", "none", "unreadable")


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "secrets", "encrypt SIP passwords in PostgreSQL")
    add(
        "key",
        "print the keys of one call server's Asterisk: the value of connector.keys",
        _key,
        "Standard output then holds a secret: send it to a file that only Asterisk can read.",
    ).add_argument("call_server", metavar="CALL_SERVER")
    more = "Exit code 1: this process lacks the key of some."
    add("status", "show how the SIP passwords of each call server are stored", _status, more)
    parser = add(
        "rekey",
        "encrypt stored SIP passwords with CONNECTOR_SECRETS_KEY, as the database's owner",
        _rekey,
        "Safe to repeat and under traffic. First restart services and Asterisks with the key.",
    )
    parser.add_argument("--call-server", metavar="NAME", help="only this call server; default: all")
    parser.add_argument("--plain", action="store_true", help="decrypt: store plain text again")
    unchecked = "encrypt although a serving process lacks the key, or an Asterisk cannot be asked whether it has it"
    parser.add_argument("--unchecked", action="store_true", help=unchecked)


async def _key(settings: Settings, arguments: argparse.Namespace) -> None:
    name = arguments.call_server
    if name not in settings.call_servers:
        known = ", ".join(sorted(settings.call_servers)) or "none"
        raise NotFound(f"there is no call server {name!r}; the settings have: {known}")
    if not settings.secret_keys:
        raise ConfigurationError(NO_KEY)
    keys = asterisk_setting(settings.secret_keys, name)
    if arguments.json:
        arguments.out.record({"call_server": name, "keys": keys})
    else:
        arguments.out.line(keys)


async def _status(settings: Settings, arguments: argparse.Namespace) -> int:
    async with open_database(settings) as database, database.connection(DEADLINE) as connection:
        found = await secret_status(connection)
    if arguments.json:
        arguments.out.table([each.facts() for each in found], tuple(found[0].facts()) if found else ())
    else:
        arguments.out.table([dict(zip(COLUMNS, each.cells(), strict=True)) for each in found], COLUMNS)
    return int(any(each.unreadable for each in found))


async def _rekey(settings: Settings, arguments: argparse.Namespace) -> int:
    if not settings.secret_keys and not arguments.plain:
        raise ConfigurationError(NO_KEY)
    target = None if arguments.plain else settings.secret_keys[0].name
    done: list[dict[str, Any]] = []
    async with rekey_session(settings, target, command_line_origin(), _progress) as rekey:
        chosen = _chosen(await rekey.call_servers(), arguments.call_server)
        if not arguments.unchecked and (lacking := await rekey.processes_without_key()):
            raise Refused(
                f"{lacking} serving processes lack key {target}: restart them with CONNECTOR_SECRETS_KEY, or give "
                "--unchecked and let them answer 503 for the phones that are encrypted"
            )
        for call_server in chosen:
            if target is not None and call_server.managed and not arguments.unchecked:
                await _try_asterisk(settings, rekey, call_server.name, target)
            rewritten = await rekey.run(call_server)
            unreadable = await rekey.unreadable(call_server.name)
            done.append({"call_server": call_server.name, "rewritten": rewritten, "unreadable": unreadable})
    how = "stored in plain text" if target is None else f"encrypted with key {target}"
    for each in done if not arguments.json else ():
        arguments.out.line(f"{each['call_server']}: {each['rewritten']} phones rewritten, all readable ones are {how}.")
    if arguments.json:
        arguments.out.record({"key": target, "call_servers": done})
    if unreadable_phones := sum(each["unreadable"] for each in done):
        arguments.out.failed(
            f"{unreadable_phones} phones have passwords that no key of the settings opens, and were left alone: set "
            "the key that `secrets status` names as CONNECTOR_SECRETS_PREVIOUS_KEY and repeat, or rotate them"
        )
    return int(bool(unreadable_phones))


def _chosen(stored: list[StoredCallServer], name: str | None) -> list[StoredCallServer]:
    chosen = [each for each in stored if name in (None, each.name)]
    if name is not None and not chosen:
        raise NotFound(f"PostgreSQL does not know call server {name}: run migrate")
    return chosen


async def _try_asterisk(settings: Settings, rekey: Rekey, call_server: str, target: str) -> None:
    """Encrypt one phone and ask Asterisk whether it still sees it. Raises Refused, with nothing changed."""
    await rekey.end_trials(call_server)
    candidates = await rekey.candidates(call_server)
    if not candidates:
        return
    instead = "or give --unchecked if its Asterisk has the key"
    server = settings.call_servers.get(call_server)
    if server is None:
        raise Refused(f"call server {call_server} is not in the settings, so it cannot be asked: add it, {instead}")
    ami: Any = importlib.import_module("service.ami.secret_trial")  # on use: AMI's library takes 0.2 s
    try:
        async with ami.visible_endpoints(server) as asterisk:
            endpoint = await asterisk.find(each.endpoint for each in candidates)
            if endpoint is None:
                raise Refused(
                    f"the Asterisk of {call_server} sees none of the endpoints {candidates[0].endpoint} and so on, "
                    f"encrypted or not: run check, {instead}"
                )
            candidate = next(each for each in candidates if each.endpoint == endpoint)
            async with rekey.trial(call_server, candidate):
                if not await asterisk.sees(endpoint):
                    raise Refused(_lacking(call_server, endpoint, target))
    except CallServerUnavailable as error:
        raise Refused(f"the Asterisk of {call_server} cannot be asked: {error}; mend it, {instead}") from None


def _lacking(call_server: str, endpoint: str, target: str) -> str:
    return (
        f"the Asterisk of {call_server} does not see endpoint {endpoint} once it is encrypted with key {target}. "
        f"Nothing is changed. Put the output of `secrets key {call_server}` into its pg_service.conf, as "
        "`options=-c connector.keys=OUTPUT`, or into SECRETS_KEYS if asterisk/render writes that file; "
        "restart Asterisk and repeat"
    )


def _progress(call_server: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{call_server}: rewrote {done} of {total} phones", end=end, file=sys.stderr, flush=True)
