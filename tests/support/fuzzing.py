"""schemathesis against a running service, with the description closed: an answer may hold nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.command_line import ROOT
from tests.support.server import Server

CONFIG = ROOT / "tests/support/schemathesis.toml"
HOOKS = ROOT / "tests/support/schemathesis_hooks.py"
PREFIX = "#/components/schemas/"


async def fuzz(server: Server, folder: Path, *options: str, headers: Mapping[str, str]) -> None:
    """Run it with these headers; what it finds fails the test, with its own words."""
    description = folder / "openapi.json"
    description.write_text(json.dumps(closed(await (await server.client.get("/openapi.json")).json())))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG)),
        *("run", str(description), "--url", f"http://127.0.0.1:{server.port}"),
        *(part for name, value in headers.items() for part in ("--header", f"{name}: {value}")),
        *("--continue-on-failure", "--request-timeout", "40", "--warnings", "off", *options),
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def closed(description: Any) -> Any:
    """The description as it is meant today: answers have just the fields that it names. Bodies may have more."""
    schemas = description["components"]["schemas"]
    operations = [operation for methods in description["paths"].values() for operation in methods.values()]
    taken = _reached(schemas, [operation.get("requestBody") for operation in operations])
    answered = _reached(schemas, [description["components"]["responses"], *(each["responses"] for each in operations)])
    for name in answered - taken:
        if "properties" in schemas[name]:
            schemas[name].setdefault("additionalProperties", False)
    return description


def _reached(schemas: Any, part: Any) -> set[str]:
    found: set[str] = set()
    waiting = _references(part)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(schemas[name])
    return found


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        to = str(part.get("$ref", ""))
        own = [to.removeprefix(PREFIX)] if to.startswith(PREFIX) else []
        return own + [name for value in part.values() for name in _references(value)]
    return [name for value in part for name in _references(value)] if isinstance(part, list) else []
