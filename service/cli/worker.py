"""`worker`: what `serve` starts where there are several processes, and nobody else."""

from __future__ import annotations

import argparse
import socket

import msgspec

from service import logs
from service.runtime.process import Worker, serve
from service.runtime.sockets import Sockets
from service.runtime.worker_channel import Place
from service.settings import Settings
from service.web.ops.worker_metrics import WorkerMetrics


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Answer requests on the inherited sockets."""
    place = msgspec.json.decode(arguments.place, type=Place)
    logs.configure(settings, worker=place.number)
    worker_metrics = WorkerMetrics(
        place.number, [socket.socket(fileno=number) for number in place.worker_metrics], place.restarts
    )
    await serve(
        settings, Sockets.inherited(place.public, place.operators), Worker(place.heartbeat_channel, worker_metrics)
    )
