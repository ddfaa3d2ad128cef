"""A service with a real Asterisk and a registered phone, its description, and the generators that read it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local import asterisk_programs, node
from local.asterisk_programs import Programs
from tests.support.server import Server

GENERATOR_TIMEOUT_S = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for npm's downloads."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: what is generated here speaks HTTP."""
    return asterisk_programs.find()


@pytest.fixture(scope="package")
async def modules() -> Path:
    """The node_modules that the lock file here names."""
    return await asyncio.to_thread(node.modules, Path(__file__).parent)


@pytest.fixture
async def description(phoned: Server, tmp_path: Path) -> Path:
    """The description as the service answers it, in a file."""
    file = tmp_path / "openapi.json"
    file.write_bytes(await (await phoned.client.get("/openapi.json")).read())
    return file


def operations(description: Path) -> list[dict[str, Any]]:
    """What a generated client must be able to call."""
    paths = json.loads(description.read_text())["paths"]
    return [operation for methods in paths.values() for operation in methods.values()]


async def run(command: Sequence[object], folder: Path) -> str:
    """What a program printed. It must succeed."""

    def done() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(each) for each in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=GENERATOR_TIMEOUT_S,
            check=False,
        )

    ended = await asyncio.to_thread(done)
    assert ended.returncode == 0, f"{command}: {ended.stdout}"
    return ended.stdout


async def run_node(script: Path | str, *arguments: object, folder: Path) -> str:
    """What a script printed in Node.js. It must succeed."""
    return await asyncio.to_thread(node.run, script, *map(str, arguments), folder=folder)
