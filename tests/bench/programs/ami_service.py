"""A service that asks Asterisk for each poll, over one AMI connection of stock panoramisk, and keeps nothing.

    AMI_SECRET=... python -m tests.bench.programs.ami_service PORT AMI_PORT AMI_ACCOUNT getvar|show

`show` asks for the endpoint, with credentials and state, as Rocket.Chat's connector did; `getvar` for the state alone,
the least that one can ask. Neither knows who asks.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import panoramisk
from aiohttp import web

from service.runtime import event_loop
from tests.bench.rig.processes import emit

Ask = Callable[[str], Awaitable[dict[str, str]]]


def getvar(manager: panoramisk.Manager) -> Ask:
    """The state."""

    async def ask(extension: str) -> dict[str, str]:
        answer = await manager.send_action({"Action": "Getvar", "Variable": f"DEVICE_STATE(PJSIP/{extension})"})
        return {"state": answer.value}

    return ask


def show(manager: panoramisk.Manager) -> Ask:
    """Secret and state."""

    async def ask(extension: str) -> dict[str, str]:
        told = {}
        answer = await manager.send_action({"Action": "PJSIPShowEndpoint", "Endpoint": extension}, as_list=True)
        for message in answer:
            if message.event == "AuthDetail":
                told["secret"] = message.password
            elif message.event == "EndpointDetail":
                told["state"] = message.devicestate
        return told

    return ask


async def main(port: int, ami_port: int, account: str, ask_with: Callable[[panoramisk.Manager], Ask]) -> None:
    """Serve until killed."""
    manager = panoramisk.Manager(
        host="127.0.0.1", port=ami_port, username=account, secret=os.environ["AMI_SECRET"],
        loop=asyncio.get_running_loop(),
    )  # fmt: skip
    await manager.connect()
    ask = ask_with(manager)

    async def handle(request: web.Request) -> web.Response:
        extension = request.query["extension"]
        return web.json_response({"extension": extension, **await ask(extension)})

    app = web.Application()
    app.router.add_get("/poll", handle)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    emit(ready=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    kinds = {"getvar": getvar, "show": show}
    with asyncio.Runner(loop_factory=event_loop.factory()) as one:
        one.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], kinds[sys.argv[4]]))
