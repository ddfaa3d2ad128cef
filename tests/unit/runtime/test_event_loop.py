"""uvloop where it is installed, asyncio's own loop else."""

from __future__ import annotations

import asyncio
import sys

import pytest

from service.runtime import event_loop


def ran_on() -> str:
    """The module of the loop that a runner with our factory uses."""

    async def ask() -> str:
        return type(asyncio.get_running_loop()).__module__

    with asyncio.Runner(loop_factory=event_loop.factory()) as runner:
        return runner.run(ask())


def test_uvloop_runs_where_it_is_installed() -> None:
    pytest.importorskip("uvloop")
    assert ran_on() == "uvloop"


def test_asyncio_runs_where_uvloop_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert ran_on().startswith("asyncio.")
