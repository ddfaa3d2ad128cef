"""Clients and types that TypeScript's generators make: whole, typed, and able to do what a softphone does."""

from __future__ import annotations

import re
from pathlib import Path

from tests.clients.conftest import operations, run_node
from tests.support.server import Server

STRICT = ("--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "esnext",
          "--moduleResolution", "bundler")  # fmt: skip
PROGRAM = """\
import { createClient } from "./sdk/client";
import { getConnectorExtensionGetRegistrationInfoByUserId, getPresence, postLogin } from "./sdk/sdk.gen";

const client = createClient({ baseUrl: "BASE", throwOnError: true });
const body = { user: "dnhai", password: "demo-agent-password" };
const login = (await postLogin({ client, body, throwOnError: true })).data.data;
client.setConfig({ headers: { "X-Auth-Token": login.authToken, "X-User-Id": login.userId } });
const query = { id: login.userId };
const info = (await getConnectorExtensionGetRegistrationInfoByUserId({ client, query, throwOnError: true })).data;
if (!("extensionDetails" in info)) throw new Error("the answer is wrapped in a JWT");
const { extension, state } = info.extensionDetails;
const presence = (await getPresence({ client, query: { extension: [extension] }, throwOnError: true })).data;
const item = presence.presence[0];
if (item === undefined || "deleted" in item) throw new Error("the extension is gone");
console.log(extension, state, item.state, item.registered);
"""
TYPES = """\
import type { paths } from "./schema";

type Login = paths["/api/v1/login"]["post"];
export const body: Login["requestBody"]["content"]["application/json"] = { user: "dnhai", password: "x" };
type Info = paths["/api/v1/connector.extension.getRegistrationInfoByUserId"]["get"];
export const id: Info["parameters"]["query"]["id"] = "ByehQjC44FwMeiLbX";
"""


async def test_login_registration_info_and_presence(
    phoned: Server, description: Path, modules: Path, tmp_path: Path
) -> None:
    generator = modules / "@hey-api/openapi-ts/bin/run.js"
    await run_node(generator, "-i", description, "-o", "sdk", folder=tmp_path)
    found = re.findall(r"^export const \w+ = <ThrowOnError", (tmp_path / "sdk/sdk.gen.ts").read_text(), re.MULTILINE)
    assert len(found) == len(operations(description))

    (tmp_path / "program.ts").write_text(PROGRAM.replace("BASE", f"http://127.0.0.1:{phoned.port}"))
    await run_node(modules / "typescript/bin/tsc", *STRICT, "program.ts", folder=tmp_path)
    bundle = ("--bundle", "--platform=node", "--format=esm", "--outfile=program.mjs")
    await run_node(modules / "esbuild/bin/esbuild", "program.ts", *bundle, folder=tmp_path)
    assert await run_node("program.mjs", folder=tmp_path) == "12342 Not in use Not in use true\n"


async def test_openapi_typescript_makes_types_of_everything(description: Path, modules: Path, tmp_path: Path) -> None:
    await run_node(modules / "openapi-typescript/bin/cli.js", description, "-o", "schema.d.ts", folder=tmp_path)
    (tmp_path / "types.ts").write_text(TYPES)
    await run_node(modules / "typescript/bin/tsc", *STRICT, "types.ts", folder=tmp_path)
    made = (tmp_path / "schema.d.ts").read_text()
    assert all(f'operations["{each["operationId"]}"]' in made for each in operations(description))
