"""`collector`: holds the links to Asterisk for the workers of this machine. Only `serve` starts it."""

from __future__ import annotations

import argparse

import msgspec

from service import logs
from service.runtime.collector_process import serve_collector
from service.runtime.worker_channel import CollectorParameters
from service.settings import Settings


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Collect for the workers."""
    parameters = msgspec.json.decode(arguments.parameters, type=CollectorParameters)
    logs.configure(settings)
    await serve_collector(settings, parameters)
