"""`serve`, and `worker`: what it starts where there are several processes, and nobody else."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from service.api.siblings import Siblings
from service.lifeline import Place
from service.serving import Worker, serve
from service.settings import Settings
from service.sockets import Sockets
from service.workers import supervise


async def run(settings: Settings) -> int:
    """Answer requests until SIGTERM or SIGINT, here or in workers."""
    if settings.workers > 1:
        return await supervise(settings)
    await serve(settings, Sockets.opened(settings))
    return 0


async def _work(settings: Settings, arguments: argparse.Namespace) -> None:
    place: Place = arguments.place
    siblings = Siblings(place.number, [socket.socket(fileno=number) for number in place.siblings], place.restarts)
    await serve(settings, Sockets.inherited(place.public, place.operators), Worker(place.lifeline, siblings))


def add_to(commands: Any) -> None:
    """The command without a help text is not listed."""
    decode: Callable[[str], Place] = msgspec.json.Decoder(Place).decode
    commands.add_parser("worker").set_defaults(run=_work, arguments=True)
    commands.choices["worker"].add_argument("place", type=decode)
