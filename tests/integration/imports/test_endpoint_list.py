"""Reading the endpoints and hints of real Asterisks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from time import perf_counter, process_time

import pytest

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, AmiLoginRefused
from service.ami.endpoint_list import ListIncomplete, read_pbx
from service.domain.imports.endpoints import read_source
from service.domain.imports.source import Source
from service.errors import CallServerUnavailable
from tests.support.existing.freepbx import MD5, TRUNK, name_of
from tests.support.existing.pbx import ExistingPbx


def accounts(pbx: ExistingPbx, port: int = 0) -> tuple[Account, Account]:
    """The accounts `monitor` and `credentials`."""
    config, port = pbx.asterisk.config, port or pbx.asterisk.config.ami_port
    monitor = Account("127.0.0.1", port, "monitor", config.monitor_secret)
    return monitor, Account("127.0.0.1", port, "credentials", pbx.shape.accounts.credentials)


async def source_of(pbx: ExistingPbx, context: str | None = None) -> Source:
    endpoints, hints = await read_pbx(*accounts(pbx))
    return read_source(endpoints, hints, context)


def check_against(pbx: ExistingPbx, source: Source) -> None:
    """What is read is what the PBX's files say."""
    expected = {
        (one.number, one.endpoint, one.auth_username, one.secret, "webrtc" if one.webrtc else "sip")
        for one in pbx.shape.phones
        if one.technology == "PJSIP"
    }
    read = {(one.number, one.endpoint, one.auth_username, one.secret, one.profile) for one in source.phones}
    assert read == expected
    assert {one.subject for one in source.skipped} == {*pbx.shape.skipped}
    watched = {number for number, devices in pbx.shape.devices.items() if "PJSIP" not in "".join(devices)}
    assert source.numbers == {number for number, *_ in expected} | watched
    assert len(source.endpoints) == pbx.endpoints()


async def test_1_000_extensions_of_a_freepbx_are_read_in_seconds(freepbx_like: ExistingPbx) -> None:
    began = perf_counter()
    source = await source_of(freepbx_like)
    assert perf_counter() - began < 60
    check_against(freepbx_like, source)
    assert {one.subject: one.reason for one in source.skipped} == {
        MD5: "Asterisk knows only a digest (MD5) of its secret",
        TRUNK: "no inbound auth: a trunk",
    }
    names = {number: person.fullname for number, person in source.people.items()}
    assert {number: names[number] for number in ("1001", "1002", "1003")} == {
        number: name_of(number) for number in ("1001", "1002", "1003")
    }


async def test_reading_1_000_endpoints_does_not_hold_the_event_loop(freepbx_like: ExistingPbx) -> None:
    """By the processor time of this process between two turns of the loop: the machine may be busy with others."""
    held: list[float] = []

    async def measure() -> None:
        while True:
            began = process_time()
            await asyncio.sleep(0)
            held.append(process_time() - began)

    measuring = asyncio.create_task(measure())
    gc.disable()  # it would search all objects of the test process
    try:
        await read_pbx(*accounts(freepbx_like))
    finally:
        gc.enable()
        measuring.cancel()
    assert max(held) < 0.015


@pytest.mark.parametrize("shape", ["vanilla_like", "mikopbx_like", "chan_sip_like"])
async def test_other_shapes_are_read_as_their_files_say(shape: str, request: pytest.FixtureRequest) -> None:
    pbx: ExistingPbx = request.getfixturevalue(shape)
    check_against(pbx, await source_of(pbx))
    check_against(pbx, await source_of(pbx, pbx.shape.hint_context))


async def test_progress_is_told_until_the_end(vanilla_like: ExistingPbx) -> None:
    told: list[tuple[int, int]] = []
    await read_pbx(*accounts(vanilla_like), lambda done, total: told.append((done, total)))
    assert told == [(0, 5), (5, 5)]  # not the trunk, and not the endpoint whose name is not allowed


async def test_an_account_without_class_system_is_told_what_it_needs(vanilla_like: ExistingPbx) -> None:
    monitor, _ = accounts(vanilla_like)
    with pytest.raises(
        ActionNotPermitted, match="PJSIPShowEndpoints: Permission denied; the account needs write class"
    ):
        await read_pbx(monitor, monitor)


async def test_a_wrong_secret_is_refused_without_showing_it(vanilla_like: ExistingPbx) -> None:
    monitor, reader = accounts(vanilla_like)
    wrong = Account(reader.host, reader.port, reader.username, "a-wrong-secret")
    with pytest.raises(AmiLoginRefused, match="AMI refuses the account 'credentials'") as raised:
        await read_pbx(monitor, wrong)
    assert "a-wrong-secret" not in str(raised.value)


Tamper = Callable[[bytes], bytes | None]


@contextlib.asynccontextmanager
async def tampering(port: int, tamper: Tamper) -> AsyncIterator[int]:
    """A proxy whose `tamper` changes messages; None ends the connection. No real Asterisk sends half a list."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)

        async def up() -> None:
            while data := await reader.read(65536):
                there_writer.write(data)
            there_writer.close()

        sending = asyncio.create_task(up())
        try:
            writer.write(await there_reader.readline())
            while True:
                changed = tamper(await there_reader.readuntil(b"\r\n\r\n"))
                if changed is None:
                    break
                writer.write(changed)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            sending.cancel()
            writer.close()
            there_writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def without(event: str, name: str) -> Tamper:
    """Leave out the item of a list with this name."""
    item = f"Event: {event}\r\n".encode(), f"ObjectName: {name}\r\n".encode()
    return lambda message: b"" if item[0] in message and item[1] in message else message


async def test_a_list_that_lacks_an_endpoint_is_dropped_whole(vanilla_like: ExistingPbx) -> None:
    async with tampering(vanilla_like.asterisk.config.ami_port, without("EndpointList", "alice")) as port:
        with pytest.raises(ListIncomplete, match="Asterisk sent 6 of 7 items of PJSIPShowEndpoints"):
            await read_pbx(*accounts(vanilla_like, port))


async def test_details_that_lack_the_auth_are_dropped(vanilla_like: ExistingPbx) -> None:
    async with tampering(vanilla_like.asterisk.config.ami_port, without("AuthDetail", "alice-secret")) as port:
        with pytest.raises(ListIncomplete, match="Asterisk sent 2 of 3 items of PJSIPShowEndpoint"):
            await read_pbx(*accounts(vanilla_like, port))


async def test_an_endpoint_that_vanishes_meanwhile_drops_the_list(vanilla_like: ExistingPbx) -> None:
    def rename(message: bytes) -> bytes:
        """So Asterisk is asked for an endpoint that it does not know, as after a reload."""
        return message.replace(b"ObjectName: 1009\r\n", b"ObjectName: 1099\r\n")

    async with tampering(vanilla_like.asterisk.config.ami_port, rename) as port:
        with pytest.raises(ListIncomplete, match="endpoint 1099 vanished"):
            await read_pbx(*accounts(vanilla_like, port))


async def test_a_link_that_ends_in_the_middle_drops_the_list(freepbx_like: ExistingPbx) -> None:
    seen = 0

    def cut(message: bytes) -> bytes | None:
        nonlocal seen
        seen += b"Event: EndpointDetail\r\n" in message
        return None if seen == 500 else message

    async with tampering(freepbx_like.asterisk.config.ami_port, cut) as port:
        with pytest.raises(CallServerUnavailable, match="Asterisk closed the connection"):
            await read_pbx(*accounts(freepbx_like, port))
    assert seen == 500


async def test_a_reload_in_between_drops_the_list(freepbx_like: ExistingPbx) -> None:
    loop = asyncio.get_running_loop()
    reload: list[asyncio.Future[str]] = []

    def on_progress(done: int, total: int) -> None:
        if not reload and done > total / 4:
            reload.append(loop.run_in_executor(None, freepbx_like.asterisk.rx, "module reload pbx_config.so"))

    async def read_until_a_reload_falls_into_it() -> None:
        for _ in range(5):
            reload.clear()
            await read_pbx(*accounts(freepbx_like), on_progress)

    with pytest.raises(ListIncomplete, match="Asterisk reloaded its configuration while it was read"):
        await read_until_a_reload_falls_into_it()
    await reload[0]


async def test_an_asterisk_that_has_not_booted_is_not_read(
    vanilla_like: ExistingPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ami.endpoint_list.BOOT_DEADLINE", 0.3)

    def booting(message: bytes) -> bytes:
        return b"" if b"FullyBooted" in message else message

    async with tampering(vanilla_like.asterisk.config.ami_port, booting) as port:
        with pytest.raises(ListIncomplete, match="Asterisk boots"):
            await read_pbx(*accounts(vanilla_like, port))
