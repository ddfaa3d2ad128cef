"""Reads all endpoints and hints of an Asterisk for an import. A list that is not whole is dropped.

The account of the import reads endpoints with their secrets, and needs write class `system`. The account `monitor`
lists the hints and receives FullyBooted: an Asterisk that boots lists only a part of its endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from panoramisk.message import Message

from service.ami.accounts import Account
from service.ami.actions import ListAction, header_text
from service.ami.client import LIST_DEADLINE, ActionNotPermitted, AmiClient
from service.ami.connection import NullEvents, connect
from service.domain.extension_names import ENDPOINT_NAME
from service.domain.hints import parse_hint
from service.domain.imports.endpoints import DialplanHint, Endpoint, EndpointAuth
from service.errors import CallServerUnavailable

BOOT_DEADLINE = 30.0
"""Seconds that an import waits for FullyBooted."""
PING_DEADLINE = 5.0
PIPELINED = 20
"""Endpoints requested at one time. It bounds what is parsed in one turn of the event loop."""
_EMPTY = (
    "No endpoints found",
    "No dialplan hints are available",
    "Invalid/unknown command",
    "Unable to retrieve endpoint",
)
"""How Asterisk's error begins when a list has no items, or when the module that has the list is not loaded."""

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with the number of endpoints that were read, and of all."""


class ListIncomplete(CallServerUnavailable):
    """Asterisk's list is not whole, or it changed meanwhile. Nothing of it is used."""


class CountedList(ListAction):
    """A list that collects its events, and knows whether it is whole."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(headers)
        self.messages: list[Message] = []

    @property
    def count(self) -> int:
        """Number of items that have arrived."""
        return len(self.messages)

    def add_item(self, message: Message) -> None:
        if message.event and message.eventlist != "Complete":
            self.messages.append(message)


class ParsedList(CountedList, Generic[T]):
    """A long list, of which only what `parse` makes of each event is kept, in `parsed`."""

    def __init__(self, headers: dict[str, str], parse: Callable[[Message], T]) -> None:
        super().__init__(headers)
        self.parsed: list[T] = []
        self._parse = parse

    @property
    def count(self) -> int:
        return len(self.parsed)

    def add_item(self, message: Message) -> None:
        if message.event and message.eventlist != "Complete":
            self.parsed.append(self._parse(message))


async def read_pbx(
    monitor: Account, reader: Account, on_progress: Progress = lambda done, total: None
) -> tuple[list[Endpoint], list[DialplanHint]]:
    """Read everything over two connections. Raises CallServerUnavailable, ListIncomplete, ActionNotPermitted."""
    events = _Events()
    async with connect(monitor, events) as follower, connect(reader, NullEvents()) as client:
        await events.wait_until_booted(follower)
        hints = await read_hints(follower)
        endpoints = await read_endpoints(client, on_progress)
        await follower.ping(PING_DEADLINE)  # so events that are older than the lists' end have arrived
        if events.reloads:
            raise ListIncomplete("Asterisk reloaded its configuration while it was read")
    return endpoints, hints


async def read_endpoints(client: AmiClient, on_progress: Progress = lambda done, total: None) -> list[Endpoint]:
    """Read all endpoints, with the secrets of their inbound auths."""
    listed = await _list_endpoints(client)
    endpoints = {endpoint.name: endpoint for endpoint in listed}
    details = [endpoint.name for endpoint in listed if endpoint.auth_names and ENDPOINT_NAME.fullmatch(endpoint.name)]
    for start in range(0, len(details), PIPELINED):
        on_progress(start, len(details))
        part = details[start : start + PIPELINED]
        for endpoint in await asyncio.gather(*(_read_endpoint(client, name) for name in part)):
            endpoints[endpoint.name] = endpoint
    on_progress(len(details), len(details))
    if {endpoint.name for endpoint in await _list_endpoints(client)} != endpoints.keys():
        raise ListIncomplete("the endpoints of Asterisk changed while they were read")
    return list(endpoints.values())


async def read_hints(client: AmiClient) -> list[DialplanHint]:
    """Read all hints of the dialplan."""
    action = ParsedList({"Action": "ExtensionStateList"}, _parse_hint)
    await _send(client, action, "reporting")
    return action.parsed


async def _list_endpoints(client: AmiClient) -> list[Endpoint]:
    action = ParsedList({"Action": "PJSIPShowEndpoints"}, _parse_listed)
    await _send(client, action, "system")
    return action.parsed


def _parse_listed(message: Message) -> Endpoint:
    return Endpoint(header_text(message, "ObjectName"), auth_names=_names(header_text(message, "Auths")))


async def _read_endpoint(client: AmiClient, name: str) -> Endpoint:
    action = CountedList({"Action": "PJSIPShowEndpoint", "Endpoint": name})
    await _send(client, action, "system")
    endpoint = parse_endpoint(action.messages)
    if endpoint is None or endpoint.name != name:
        raise ListIncomplete(f"endpoint {name} vanished while the endpoints were read")
    return endpoint


async def _send(client: AmiClient, action: CountedList, needed: str) -> None:
    """Send a list action and check that its list is whole. `needed` is the write class that it takes."""
    try:
        last = await client.send_list(action, LIST_DEADLINE)
    except ActionNotPermitted as error:
        raise ActionNotPermitted(f"{error}; the account needs write class `{needed}`") from None
    if last.response == "Error":
        message = header_text(last, "Message")
        if message.startswith(_EMPTY):
            return
        raise CallServerUnavailable(f"AMI refuses {action['Action']}: {message}")
    told = header_text(last, "ListItems")
    if told != str(action.count):
        raise ListIncomplete(f"Asterisk sent {action.count} of {told or 'unknown'} items of {action['Action']}")


def parse_endpoint(messages: Iterable[Message]) -> Endpoint | None:
    """Parse the events that describe one endpoint; None without an `EndpointDetail`."""
    messages = list(messages)
    detail = next((message for message in messages if message.event == "EndpointDetail"), None)
    if detail is None:
        return None
    auth_names = _names(header_text(detail, "Auth"))
    auths = (_parse_auth(message) for message in messages if message.event == "AuthDetail")
    return Endpoint(
        name=header_text(detail, "ObjectName"),
        auth_names=auth_names,
        auths=tuple(auth for auth in auths if auth.name in auth_names),  # the others are outbound
        aors=_names(header_text(detail, "Aors")),
        caller_id=header_text(detail, "Callerid"),
        webrtc=header_text(detail, "Webrtc") == "yes",
    )


def _parse_hint(message: Message) -> DialplanHint:
    return DialplanHint(
        number=header_text(message, "Exten"),
        context=header_text(message, "Context"),
        devices=parse_hint(header_text(message, "Hint")).counted,
    )


def _parse_auth(message: Message) -> EndpointAuth:
    return EndpointAuth(
        name=header_text(message, "ObjectName"),
        type=header_text(message, "AuthType"),
        username=header_text(message, "Username"),
        password=header_text(message, "Password"),
        has_digest=bool(header_text(message, "Md5Cred") or header_text(message, "PasswordDigest")),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


class _Events(NullEvents):
    """Notices FullyBooted and reloads."""

    def __init__(self) -> None:
        self.reloads = 0
        self._woken = asyncio.Event()
        self._booted = False

    def on_event(self, name: str, message: Message) -> None:
        if name == "FullyBooted":
            self._booted = True
            self._woken.set()
        elif name == "Reload":
            self.reloads += 1

    def on_connection_lost(self, why: str) -> None:
        self._woken.set()

    async def wait_until_booted(self, client: AmiClient) -> None:
        """Wait for FullyBooted, which Asterisk also sends after a login when it has booted. Raises ListIncomplete."""
        try:
            async with asyncio.timeout(BOOT_DEADLINE):
                await self._woken.wait()
        except TimeoutError:
            raise ListIncomplete(
                f"Asterisk boots, and has not finished within {BOOT_DEADLINE:g} s, "
                "or the account `monitor` lacks read class `system`"
            ) from None
        if not self._booted:
            raise CallServerUnavailable(client.why_ended or "the connection ended")
