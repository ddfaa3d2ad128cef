"""What `check` asks of the bus: can each server be reached, does it know the user, and what may the user do there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence

from service.bus import nats_subjects as subjects
from service.bus.broker import Broker, BrokerRefused, BrokerUnavailable
from service.bus.nats_client import Client
from service.domain.clear_text import find_readable
from service.domain.models import Finding
from service.errors import ConfigurationError

DEADLINE = 5.0
"""Seconds for one server."""
PROBE = ".probe"
"""Makes a subject one token longer, so that nobody has subscribed to it."""
PERMISSIONS = "give the user the permissions that deploy/nats/nats.conf has for its role"
START = "start NATS there, or correct CONNECTOR_BUS_URL"
LOGIN = "correct the user of CONNECTOR_BUS_URL, CONNECTOR_BUS_PASSWORD or the certificates"


async def check(broker: Broker, role: str, call_servers: Sequence[str]) -> AsyncIterator[Finding]:
    """Yield findings for each server: it is connected to as `role` would, and harmless messages are published."""
    for server in broker.servers:
        part = f"bus {server}"
        if not broker.tls:
            host = server.rpartition(":")[0].strip("[]")
            if (readable := find_readable(part, "the bus", host, "begin CONNECTOR_BUS_URL with tls://")) is not None:
                yield readable
        try:
            async with asyncio.timeout(DEADLINE):
                denied = await _denials(broker, server, role, call_servers)
        except TimeoutError:
            yield Finding(part, f"no answer for {DEADLINE:g} s", START)
            continue
        except ConfigurationError as error:
            yield Finding(part, str(error), LOGIN)
            return
        except BrokerUnavailable as error:
            yield Finding(part, f"{server}: {error}", LOGIN if isinstance(error, BrokerRefused) else START)
            continue
        for finding in _findings(part, role, *denied):
            yield finding


def _findings(part: str, role: str, needed: set[str], forbidden: set[str]) -> list[Finding]:
    if needed:
        return [
            Finding(part, f"the user may not do what a {role} does: {text}", PERMISSIONS) for text in sorted(needed)
        ]
    found = [Finding(part, f"connected, and the user may do what a {role} does")]
    if not forbidden:
        what = "publish states" if role == "follower" else "read what other collectors publish"
        found.append(Finding(part, f"the user may also {what}, which a {role} does not need", PERMISSIONS))
    return found


async def _denials(
    broker: Broker, server: str, role: str, call_servers: Sequence[str]
) -> tuple[set[str], set[str]]:  # fmt: skip
    """What was denied of all that the role needs, and of one thing that it must not do."""
    denied: set[str] = set()
    client = Client(broker, lambda subject, body: None, denied.add)
    name, nobody = f"check-{secrets.token_hex(4)}", "nobody"
    if role == "collector":
        heard = subjects.heard_by_collector(list(call_servers), name)
        said = [
            text for one in call_servers for text in (subjects.change(one, name), subjects.reply(nobody, one, name))
        ]
    else:
        heard = subjects.heard_by_follower(list(call_servers), name)
        said = [
            text for one in call_servers for text in (subjects.ask(one, None, name), subjects.ask(one, nobody, name))
        ]
    try:
        await client.open(f"nats://{server}", "connector check", DEADLINE)
        await client.hear(heard)
        for subject in said:
            client.post(subject + PROBE, b"")
        await client.ping(DEADLINE)
        needed = set(denied)
        if role == "collector":
            await client.hear([f"{subjects.PREFIX}.change.>"])
        else:
            client.post(subjects.change(call_servers[0] if call_servers else nobody, name) + PROBE, b"")
        await client.ping(DEADLINE)
        return needed, denied - needed
    finally:
        client.abort()
