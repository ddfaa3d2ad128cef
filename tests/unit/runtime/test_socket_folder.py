"""Where the sockets of a collector are."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest

from service.errors import ConfigurationError
from service.runtime import socket_folder
from service.runtime.socket_folder import FolderCollectorPort, FolderFollowerPort
from tests.support.eventually import eventually


def test_a_container_without_a_writable_tmp_has_its_folder_in_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = tempfile.TemporaryDirectory

    def read_only(**where: Any) -> tempfile.TemporaryDirectory[str]:
        if where["dir"] != str(tmp_path):
            raise FileNotFoundError("No usable temporary directory found")
        return made(**where)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", read_only)
    monkeypatch.setattr(socket_folder, "SHARED_MEMORY", str(tmp_path))
    with socket_folder.socket_folder() as folder:
        assert (Path(folder).parent, Path(folder).stat().st_mode & 0o777) == (tmp_path, 0o700)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(socket_folder, "SHARED_MEMORY", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"make .* writable"), socket_folder.socket_folder():
        pass


async def test_a_connection_that_ends_while_it_is_made_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    connect = loop.create_unix_connection
    made: list[Any] = []

    async def ends_at_first(factory: Any, path: str) -> Any:
        transport, connection = await connect(factory, path)
        made.append(connection)
        if len(made) == 1:
            transport.abort()
            await eventually(lambda: connection.ended)
        return transport, connection

    monkeypatch.setattr(loop, "create_unix_connection", ends_at_first)
    collector, follower = FolderCollectorPort(tmp_path, "one"), FolderFollowerPort(tmp_path)
    heard: list[bytes] = []
    collector.received = lambda _server, _follower, body: heard.append(body)
    tasks = [asyncio.create_task(port.run()) for port in (collector, follower)]
    try:
        await eventually(lambda: len(made) == 2)
        await eventually(lambda: bool(follower._collectors))
        follower.send("main", b"hello")
        await eventually(lambda: heard == [b"hello"])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
