"""The driver's side of a wire: what asyncpg's connection asks of its protocol, with the same timeouts and errors.

Stands in for `asyncpg.protocol.Protocol`, which is compiled and speaks bytes; `test_database_model.py` compares both.
"""
# ruff: noqa: ASYNC109 - the parameters are asyncpg's

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import asyncpg
from asyncpg.protocol import NO_TIMEOUT, Record

from tests.simulation.database.wire import Message, Wire


@dataclass(eq=False)
class Statement:
    """A prepared statement, as asyncpg's statement cache keeps it."""

    name: str
    query: str
    record_class: Any
    ignore_custom_codec: bool
    closed: bool = False
    refs: int = 0
    prepared: bool = True

    def _init_types(self) -> None: ...

    def _init_codecs(self) -> None: ...

    def attach(self) -> None:
        self.refs += 1

    def detach(self) -> None:
        self.refs -= 1

    def mark_closed(self) -> None:
        self.closed = True

    def mark_unprepared(self) -> None:
        self.prepared = False


class Settings(SimpleNamespace):
    """The parameters that the server reports. Codecs are not needed: values are not encoded."""

    def add_python_codec(self, *_: Any) -> None: ...

    def clear_type_cache(self) -> None: ...


class Protocol:
    """One connection. At most one operation waits for its result."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.wire: Wire
        self.ready: asyncio.Future[Message] = self._loop.create_future()
        """Resolved by the server's first message."""
        self.settings = Settings(server_version="15.6")
        self.backend_pid = self.backend_secret = 0
        self.queries_count = 0
        self._connection: weakref.ref[Any] | None = None
        self._closing = self._lost = False
        self._in_transaction = False
        self._waiter: asyncio.Future[Any] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._cancelled: asyncio.Future[None] | None = None
        self._cancel_sent: asyncio.Future[None] | None = None

    # --- what the connection asks --------------------------------------------------------------------------------

    def set_connection(self, connection: Any) -> None:
        self._connection = weakref.ref(connection)

    def get_settings(self) -> Settings:
        return self.settings

    def get_server_pid(self) -> int:
        return self.backend_pid

    def get_record_class(self) -> Any:
        return Record

    def is_in_transaction(self) -> bool:
        return self._in_transaction

    def is_connected(self) -> bool:
        return not self._lost and not self._closing

    async def prepare(
        self, name: str, query: str, timeout: Any, *, state: Any = None, ignore_custom_codec: bool, record_class: Any
    ) -> Statement:
        await self._ask(("prepare", query), timeout)
        return state or Statement(name, query, record_class, ignore_custom_codec)

    async def bind_execute(
        self, state: Statement, args: Any, portal_name: str, limit: int, return_extra: bool, timeout: Any
    ) -> Any:
        rows, status, completed = await self._ask(("execute", state.query, tuple(args), portal_name, limit), timeout)
        return (rows, status.encode(), completed) if return_extra else rows

    async def bind(self, state: Statement, args: Any, portal_name: str, timeout: Any) -> None:
        await self._ask(("bind", state.query, tuple(args), portal_name), timeout)

    async def execute(self, state: Statement, portal_name: str, limit: int, return_extra: bool, timeout: Any) -> Any:
        rows, status, completed = await self._ask(("fetch", portal_name, limit), timeout)
        return (rows, status.encode(), completed) if return_extra else rows

    async def close_portal(self, portal_name: str, timeout: Any) -> None:
        await self._ask(("close", portal_name), timeout)

    async def close_statement(self, _state: Statement, timeout: Any) -> None:
        await self._ask(("close", ""), timeout)

    async def query(self, query: str, timeout: Any) -> str:
        _, status, _ = await self._ask(("query", query), timeout)
        return str(status)

    async def close(self, timeout: Any) -> None:
        if self._closing:
            return
        self._closing = True
        try:
            async with asyncio.timeout(self._get_timeout(timeout)):
                await self._wait_for_cancellation()
                if self._waiter is not None:
                    self._request_cancel()
                    await self._wait_for_cancellation()
        finally:
            self._drop()

    def abort(self) -> None:
        self._closing = True
        self._complete_cancel()
        self._drop()

    def _drop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._fail(None)
        if not self._lost:
            self._lost = True
            self.wire.close(by_client=True)

    # --- one operation -------------------------------------------------------------------------------------------

    async def _ask(self, message: Message, timeout: Any) -> Any:
        timeout = await self._wait_for_cancellation(self._get_timeout(timeout))
        if self._cancelled is not None:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is cancelling")
        if self._closing or self._lost:
            raise asyncpg.InterfaceError("cannot perform operation: connection is closed")
        if self._waiter is not None:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
        self._waiter = waiter = self._loop.create_future()
        if timeout is not None:
            self._deadline = self._loop.call_later(timeout, self._on_timeout, waiter)
        self.queries_count += 1
        self.wire.up.send(message)
        try:
            return await waiter
        finally:
            self._on_done(waiter)  # not a callback of the future: a simulated loop runs those in any order

    def _get_timeout(self, timeout: Any) -> float | None:
        if timeout is NO_TIMEOUT:
            return None
        connection = self._connection() if self._connection is not None else None
        if timeout is None and connection is not None:
            timeout = connection._config.command_timeout
        if timeout is not None and timeout <= 0:
            raise TimeoutError
        return None if timeout is None else float(timeout)

    def _on_timeout(self, waiter: asyncio.Future[Any]) -> None:
        if self._waiter is waiter and not waiter.done() and self._cancelled is None and self._deadline is not None:
            self._request_cancel()
            waiter.set_exception(TimeoutError())

    def _on_done(self, waiter: asyncio.Future[Any]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if waiter is self._waiter and self._cancelled is None and waiter.cancelled():
            self._request_cancel()

    # --- cancelling ----------------------------------------------------------------------------------------------

    def _request_cancel(self) -> None:
        self._cancelled, self._cancel_sent = self._loop.create_future(), self._loop.create_future()
        connection = self._connection() if self._connection is not None else None
        if connection is not None:
            connection._cancel_current_command(self._cancel_sent, self._cancelled)
        else:
            self.abort()

    def _is_cancelling(self) -> bool:
        return self._cancelled is not None or self._cancel_sent is not None

    async def _wait_for_cancellation(self, timeout: float | None = None) -> float | None:
        if not self._is_cancelling():
            return timeout
        started = self._loop.time()
        try:
            async with asyncio.timeout(timeout):
                if self._cancel_sent is not None:
                    await asyncio.shield(self._cancel_sent)
                    self._cancel_sent = None
                if self._cancelled is not None:
                    await asyncio.shield(self._cancelled)
        except TimeoutError:
            connection = self._connection() if self._connection is not None else None
            connection.terminate() if connection is not None else self.abort()
            raise
        if timeout is None:
            return None
        left = timeout - (self._loop.time() - started)
        if left <= 0:
            raise TimeoutError
        return left

    def _complete_cancel(self) -> None:
        for future in (self._cancel_sent, self._cancelled):
            if future is not None and not future.done():
                future.set_result(None)
        self._cancel_sent = self._cancelled = None

    # --- what arrives --------------------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """Take a message of the server."""
        match message:
            case ("notify", pid, channel, payload):
                self._notify(pid, channel, payload)
            case ("result", result, in_transaction):
                self._in_transaction = in_transaction
                self._finish(result)
            case ("lost", error):
                self._on_lost(error)
            case _:
                if not self.ready.done():
                    self.ready.set_result(message)

    def _notify(self, pid: int, channel: str, payload: str) -> None:
        """Call the listeners in the order of what arrives. asyncpg has the loop call them, in the same order."""
        connection = self._connection() if self._connection is not None else None
        for listener in list(connection._listeners.get(channel, ())) if connection is not None else []:
            listener.cb(connection, pid, channel, payload)

    def _finish(self, result: Any) -> None:
        waiter, self._waiter = self._waiter, None
        if self._cancelled is not None:  # the answer to a command that was cancelled
            if not self._cancelled.done():
                self._cancelled.set_result(None)
            self._cancelled = None
        if waiter is None or waiter.done():
            return
        if isinstance(result, BaseException):
            waiter.set_exception(result)
        else:
            waiter.set_result(result)

    def _on_lost(self, error: BaseException | None) -> None:
        self._lost = True
        if not self.ready.done():
            self.ready.set_result(("lost", error))
        if self._closing:
            return
        self._closing = True
        connection = self._connection() if self._connection is not None else None
        if connection is not None:
            connection._cleanup()
        self._fail(error)

    def _fail(self, cause: BaseException | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            error = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            error.__cause__ = cause
            self._waiter.set_exception(error)
        self._waiter = None
        self._complete_cancel()
