"""Which event loop runs this process: uvloop where it is installed, else asyncio's own. Both do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


def factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What `asyncio.Runner` takes as its `loop_factory`."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
