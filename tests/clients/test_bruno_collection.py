"""The collection for Bruno: its own parser reads each file, and each request that only reads is answered."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from local import node
from tests.support import bruno_collection
from tests.support.server import Server

Parsed = dict[str, dict[str, Any]]
CHANGING = ("get api_v1_logout.bru",)
"""It ends the token of the others."""
ENDLESS = ("get api_v1_presence_stream.bru",)


@pytest.fixture
async def collection(modules: Path, tmp_path: Path) -> Parsed:
    """What Bruno reads, by path."""
    bruno_collection.write(tmp_path)
    script = Path(__file__).with_name("bruno.js")
    read = await asyncio.to_thread(node.run, script, str(tmp_path), folder=tmp_path, NODE_PATH=str(modules))
    parsed: Parsed = json.loads(read)
    return parsed


def requests(collection: Parsed) -> Parsed:
    return {path: each for path, each in collection.items() if not path.startswith("environments/")}


def filled(text: str, variables: dict[str, str]) -> str:
    """A text with its variables, each of which has a value."""
    return re.sub(r"\{\{(\w+)\}\}", lambda name: variables[name[1]], text)


async def send(server: Server, request: dict[str, Any], variables: dict[str, str]) -> tuple[int, str]:
    """What the service answers, to what Bruno would send."""
    url = filled(request["http"]["url"], variables)
    for parameter in request.get("params", []):
        if parameter["type"] == "path":
            url = url.replace(f":{parameter['name']}", parameter["value"])
    headers = {each["name"]: filled(each["value"], variables) for each in request.get("headers", []) if each["enabled"]}
    body = filled(request["body"]["json"], variables) if request["http"]["body"] == "json" else None
    if body is not None:
        headers["Content-Type"] = "application/json"
    answer = await server.client.request(request["http"]["method"], url, headers=headers, data=body)
    return answer.status, await answer.text()


def described_calls(description: Path) -> set[str]:
    paths = json.loads(description.read_text())["paths"]
    return {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}


async def test_it_holds_every_operation(collection: Parsed, description: Path) -> None:
    assert {each["meta"]["name"] for each in requests(collection).values()} >= described_calls(description)


async def test_whoever_logs_in_can_send_every_request_that_only_reads(phoned: Server, collection: Parsed) -> None:
    values = {each["name"]: each["value"] for each in collection["environments/demo.bru"]["variables"]}
    variables = values | {"url": ""}
    login = collection["Login/post api_v1_login.bru"]
    status, text = await send(phoned, login, variables)
    assert status == 200, text
    for each in login["vars"]["res"]:
        variables[each["name"]] = json.loads(text)["data"][each["value"].rpartition(".")[2]]
    reading = {
        path: each
        for path, each in requests(collection).items()
        if each["http"]["method"] == "get" and not path.endswith(CHANGING + ENDLESS)
    }
    answers = {path: await send(phoned, each, variables) for path, each in reading.items()}
    assert {path: answer for path, answer in answers.items() if answer[0] != 200} == {}
    assert len(reading) > 20


def test_no_secret_of_an_operator_is_kept_in_a_file(collection: Parsed) -> None:
    variables = collection["environments/production.bru"]["variables"]
    secret = {each["name"]: each["value"] for each in variables if each["secret"]}
    assert secret == dict.fromkeys(bruno_collection.SECRETS, "")
