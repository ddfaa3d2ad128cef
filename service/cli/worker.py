"""`worker`: one of several processes. Only `serve` starts it."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import msgspec

from service import logs
from service.runtime.process import Worker, serve
from service.runtime.sockets import Sockets
from service.runtime.worker_channel import WorkerParameters
from service.settings import Settings
from service.web.ops.worker_metrics import WorkerMetrics


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Serve requests on the inherited sockets."""
    parameters = msgspec.json.decode(arguments.parameters, type=WorkerParameters)
    logs.configure(settings, worker=parameters.number)
    metrics_sockets = [socket.socket(fileno=number) for number in parameters.worker_metrics]
    worker_metrics = WorkerMetrics(parameters.number, metrics_sockets, parameters.restarts)
    sockets = Sockets.inherited(parameters.public, parameters.operators)
    folder = Path(parameters.folder) if parameters.folder is not None else None
    await serve(settings, sockets, Worker(parameters.heartbeat_channel, worker_metrics, folder))
