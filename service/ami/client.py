"""One AMI connection, from the open socket to its end. Nothing in here reconnects."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import panoramisk
from panoramisk.message import Message

from service.ami.contact_list import ContactList, Kept
from service.ami.presence_parsing import parse_presence
from service.ami.protocol import NOT_AMI, AmiProtocol, DeviceStateList, EventHandler, Listing, Request, text
from service.ami.queue_parsing import ITEMS, parse_list
from service.ami.reachability import OutOfReach, Trouble, trouble_of
from service.domain.models import DeviceState
from service.domain.presence_state import PROVIDER, Presence
from service.domain.queues import QueueSnapshot
from service.errors import CallServerUnavailable, ConfigurationError
from service.settings import CallServer

CONNECT_DEADLINE = 5.0
LOGIN_DEADLINE = 5.0
ACTION_DEADLINE = 5.0
LIST_DEADLINE = 30.0
SHUTTING_DOWN = "Asterisk is shutting down"
"""What an Asterisk on its way out answers to every action."""


class AmiLoginRefused(CallServerUnavailable):
    """Asterisk does not let this account in from here: settings must change, trying again soon does not help."""

    retry_after = 60


class ActionNotPermitted(CallServerUnavailable):
    """The account may not do what it is for: its classes in `manager.conf` must change."""

    retry_after = 60


@dataclass(frozen=True, slots=True)
class Account:
    """An AMI account and where it logs in."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def monitor(cls, server: CallServer) -> Account:
        """The account that watches."""
        return cls._of(server, server.monitor_username, server.monitor_secret.get_secret_value())

    @classmethod
    def sync(cls, server: CallServer) -> Account | None:
        """The account that has Asterisk read an endpoint anew, where there is one."""
        if server.sync_secret is None:
            return None
        return cls._of(server, server.sync_username, server.sync_secret.get_secret_value())

    @classmethod
    def presence(cls, server: CallServer) -> Account | None:
        """The account that sets presence, where there is one."""
        if server.presence_secret is None:
            return None
        return cls._of(server, server.presence_username, server.presence_secret.get_secret_value())

    @classmethod
    def _of(cls, server: CallServer, username: str, secret: str) -> Account:
        return cls(server.ami_host, server.ami_port, username, secret, _tls(server) if server.ami_tls else None)


def _tls(server: CallServer) -> ssl.SSLContext:
    """Raises ConfigurationError when the CA cannot be read."""
    try:
        return ssl.create_default_context(cafile=server.ami_ca_file)
    except OSError as error:  # an SSLError is one too
        raise ConfigurationError(f"ami_ca_file {server.ami_ca_file} cannot be used: {error}") from None


class SingleConnection(panoramisk.Manager):  # type: ignore[misc]
    """panoramisk's manager for a single connection: it neither logs in, pings, replays nor reconnects by itself."""

    def connection_made(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            _, self.protocol = future.result()
            self.protocol.factory = self

    def connection_lost(self, exc: object) -> None:
        """The wire tells its listener; there is nothing to do here."""


class AmiClient:
    """The actions that this service asks of Asterisk, each with its deadline in seconds.

    All raise CallServerUnavailable when the line is gone or the deadline passed, NotPermitted when refused.
    """

    def __init__(self, wire: AmiProtocol) -> None:
        self._wire = wire

    @property
    def why_ended(self) -> str | None:
        """Why the connection ended, or None while it is open."""
        return self._wire.why

    def end(self, why: str) -> None:
        """Close it now."""
        self._wire.end(why)

    async def login(self, account: Account) -> None:
        """Log in. Raises LoginRefused, CallServerUnavailable."""
        headers = {"Action": "Login", "Username": account.username, "Secret": account.secret}
        answer = await self._wire.ask(Request(headers), LOGIN_DEADLINE)
        if answer.message == SHUTTING_DOWN:  # it will be back, and we need no operator then
            raise CallServerUnavailable(SHUTTING_DOWN)
        if answer.response != "Success":
            raise AmiLoginRefused(f"AMI refuses the account {account.username!r}: {answer.message}")

    async def ping(self, deadline: float) -> Message:
        """Ask for a Pong; once it is here, so is every event that Asterisk queued for us before it."""
        return await self._wire.ask(Request({"Action": "Ping"}), deadline)

    async def core_status(self) -> Message:
        """When Asterisk started, among other things."""
        return await self._permitted(Request({"Action": "CoreStatus"}))

    async def device_states(self) -> dict[str, DeviceState]:
        """All devices that Asterisk tracks, with their states."""
        request = DeviceStateList()
        await self._permitted(request, LIST_DEADLINE)
        states: dict[str, DeviceState] = request.__dict__["states"]
        return states

    async def presences(self) -> dict[str, Presence]:
        """What people set of themselves, by extension; nothing where `res_manager_presencestate` is not loaded."""
        request = Listing("PresenceStateList", "PresenceStateChange")
        await self._wire.ask(request, LIST_DEADLINE)
        found = (parse_presence(message) for message in request.__dict__["listed"])
        return dict(each for each in found if each is not None)

    async def queues(self) -> QueueSnapshot:
        """All queues. Raises CallServerUnavailable where `app_queue` is not loaded."""
        request = Listing("QueueStatus", *ITEMS)
        await self._permitted(request, LIST_DEADLINE)
        return parse_list(request.__dict__["listed"])

    async def variable(self, expression: str) -> str:
        """A global variable or function's value, as `Getvar` answers it."""
        answer = await self._permitted(Request({"Action": "Getvar", "Variable": expression}))
        return str(answer.value)

    async def actions(self) -> dict[str, str]:
        """The actions that this account may send, each with what `ListCommands` tells of it."""
        answer = await self._permitted(Request({"Action": "ListCommands"}))
        return {name: text(answer, name) for name in answer}

    async def contacts(self) -> dict[str, Kept]:
        """All contacts that Asterisk's registrar keeps, by AOR; nothing if it keeps them elsewhere."""
        request = ContactList()
        await self._permitted(request, LIST_DEADLINE)
        kept: dict[str, Kept] = request.__dict__["kept"]
        return kept

    async def contact_ids(self, aor: str) -> list[str] | None:
        """The ids of an AOR's contacts; None when Asterisk knows no such AOR, or has `func_pjsip_aor` not loaded."""
        if not await self.variable(f"PJSIP_AOR({aor},max_contacts)"):
            return None
        return [id_ for id_ in (await self.variable(f"PJSIP_AOR({aor},contact)")).split(",") if id_]

    async def set_presence(self, extension: str, presence: Presence) -> None:
        """Have Asterisk keep an extension's presence. The message travels in base64: it may hold commas."""
        message = base64.b64encode(presence.message.encode()).decode()
        value = f"{presence.state.value},,{message},e" if message else presence.state.value
        variable = f"PRESENCE_STATE({PROVIDER}{extension})"
        await self._permitted(Request({"Action": "Setvar", "Variable": variable, "Value": value}))

    async def qualify(self, endpoint: str) -> bool:
        """Ask the endpoint's contacts whether they are there. From then on Asterisk tracks it, if it has a contact.

        False when Asterisk knows no such endpoint.
        """
        answer = await self._wire.ask(Request({"Action": "PJSIPQualify", "Endpoint": endpoint}), ACTION_DEADLINE)
        if answer.response == "Error" and answer.message == "Permission denied":
            raise ActionNotPermitted("AMI refuses PJSIPQualify: Permission denied")
        return bool(answer.response == "Success")

    async def command(self, line: str) -> str:
        """What a line of Asterisk's command line prints. Raises CallServerUnavailable when it failed."""
        output = (await self._permitted(Request({"Action": "Command", "Command": line}))).output
        return "\n".join(output) if isinstance(output, list) else str(output)

    async def _permitted(self, request: Request, deadline: float = ACTION_DEADLINE) -> Message:
        answer = await self._wire.ask(request, deadline)
        if answer.response == "Error":
            kind = ActionNotPermitted if answer.message == "Permission denied" else CallServerUnavailable
            raise kind(f"AMI refuses {request['Action']}: {answer.message}")
        return answer


def _out_of_reach(account: Account, reason: str, trouble: Trouble) -> OutOfReach:
    return OutOfReach(f"AMI at {account.host}:{account.port} is out of reach: {reason}", trouble)


class NullEvents:
    """For a connection whose events nobody needs."""

    def device_state(self, device: str, state: DeviceState) -> None: ...

    def event(self, name: str, message: Message) -> None: ...

    def lost(self, why: str) -> None: ...


@contextlib.asynccontextmanager
async def connected(account: Account, events: EventHandler) -> AsyncIterator[AmiClient]:
    """A connection that is logged in; it ends with the block. Raises CallServerUnavailable, LoginRefused."""
    wire: AmiProtocol | None = None

    def factory() -> AmiProtocol:
        nonlocal wire
        wire = AmiProtocol(events)
        return wire

    manager = SingleConnection(
        host=account.host, port=account.port, ssl=account.tls or False, protocol_factory=factory,
        loop=asyncio.get_running_loop(),
    )  # fmt: skip
    try:
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await manager.connect()
        except (OSError, TimeoutError) as error:
            reason = str(error) or f"no connection within {CONNECT_DEADLINE:g} s"
            raise _out_of_reach(account, reason, trouble_of(error)) from None
        assert wire is not None
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await wire.greeted
        except TimeoutError:
            raise _out_of_reach(account, f"no greeting within {CONNECT_DEADLINE:g} s", Trouble.SILENT) from None
        except CallServerUnavailable as error:
            trouble = Trouble.NOT_AMI if str(error) == NOT_AMI else Trouble.CLOSED
            raise _out_of_reach(account, str(error), trouble) from None
        connection = AmiClient(wire)
        await connection.login(account)
        yield connection
    finally:
        if wire is not None and hasattr(wire, "transport"):
            wire.end("closed")
