"""Opens one AMI connection and logs in. Nothing here reconnects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import panoramisk
from panoramisk.message import Message

from service.ami.accounts import Account
from service.ami.client import AmiClient
from service.ami.protocol import NOT_AMI, AmiProtocol, EventHandler
from service.ami.unreachable_reasons import AmiUnreachable, UnreachableReason, classify_connection_error
from service.domain.models import DeviceState
from service.errors import CallServerUnavailable

CONNECT_DEADLINE = 5.0
"""Seconds for the TCP and TLS handshakes, and again for the greeting."""


class SingleConnection(panoramisk.Manager):  # type: ignore[misc]
    """panoramisk's manager for a single connection: it does not log in, ping, replay or reconnect."""

    def connection_made(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is None:
            _, self.protocol = future.result()
            self.protocol.factory = self

    def connection_lost(self, exc: object) -> None:
        """Does nothing: the protocol notifies its event handler."""


class NullEvents:
    """Event handler of a connection whose events are not needed."""

    def on_device_state(self, device: str, state: DeviceState) -> None: ...

    def on_extension_status(self, number: str, context: str, hint: str, status: int) -> None: ...

    def on_event(self, name: str, message: Message) -> None: ...

    def on_connection_lost(self, why: str) -> None: ...


@contextlib.asynccontextmanager
async def connect(account: Account, handler: EventHandler, *, events: bool = True) -> AsyncIterator[AmiClient]:
    """A connection that is logged in and closed with the block. Raises CallServerUnavailable, AmiLoginRefused."""
    protocol: AmiProtocol | None = None

    def create_protocol() -> AmiProtocol:
        nonlocal protocol
        protocol = AmiProtocol(handler)
        return protocol

    manager = SingleConnection(
        host=account.host, port=account.port, ssl=account.tls or False, protocol_factory=create_protocol,
        loop=asyncio.get_running_loop(),
    )  # fmt: skip
    try:
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                await manager.connect()
        except (OSError, TimeoutError) as error:
            detail = str(error) or f"no connection within {CONNECT_DEADLINE:g} s"
            raise _unreachable(account, detail, classify_connection_error(error)) from None
        assert protocol is not None
        await _wait_for_greeting(account, protocol)
        client = AmiClient(protocol)
        await client.login(account, events=events)
        yield client
    finally:
        if protocol is not None and hasattr(protocol, "transport"):
            protocol.end("closed")


async def _wait_for_greeting(account: Account, protocol: AmiProtocol) -> None:
    try:
        async with asyncio.timeout(CONNECT_DEADLINE):
            await protocol.greeted
    except TimeoutError:
        detail = f"no greeting within {CONNECT_DEADLINE:g} s"
        raise _unreachable(account, detail, UnreachableReason.SILENT) from None
    except CallServerUnavailable as error:
        reason = UnreachableReason.NOT_AMI if str(error) == NOT_AMI else UnreachableReason.CLOSED
        raise _unreachable(account, str(error), reason) from None


def _unreachable(account: Account, detail: str, reason: UnreachableReason) -> AmiUnreachable:
    return AmiUnreachable(f"AMI at {account.host}:{account.port} is out of reach: {detail}", reason)
