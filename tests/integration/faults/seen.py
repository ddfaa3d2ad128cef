"""What is seen of a fault: the alert that fires, the log event, and what the runbook's command says."""

from __future__ import annotations

import contextlib
from types import ModuleType

from tests.integration.faults.scene import FAULTS, SLOW, Fault, Scene
from tests.support.eventually import eventually
from tests.support.prometheus import Prometheus


def names(part: ModuleType) -> list[str]:
    """The faults of a module."""
    return [name for name, fault in FAULTS.items() if fault.provoke.__module__ == part.__name__]


async def is_seen(scene: Scene, name: str) -> None:
    """Cause a fault, wait until everything that its row names is there, and end the fault if that can be done."""
    fault = FAULTS[name]
    cause = await fault.provoke(scene)
    async with scene.watched() as prometheus:

        async def noticed() -> bool:
            with contextlib.suppress(OSError, EOFError):
                await cause()
            return await is_noticed(fault, scene, prometheus)

        try:
            await eventually(noticed, SLOW, f"{fault.alert} fires, and {fault.event} is logged")
        except AssertionError as error:
            raise AssertionError(f"{error}; fires: {await prometheus.alerts()}\n{scene.service.log}") from error
        output = ""

        async def said() -> bool:
            nonlocal output
            output = await scene.run(fault.command)
            return fault.says in output

        try:
            await eventually(said, SLOW, f"`{fault.command}` says {fault.says}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{output}") from error
        if scene.heal is not None:
            await scene.heal()
            await eventually(lambda: is_over(fault, prometheus), SLOW, f"{fault.alert} has ended")


async def is_noticed(fault: Fault, scene: Scene, prometheus: Prometheus) -> bool:
    alerts = await prometheus.alerts()
    fires = not fault.alert or alerts.get(fault.alert) == "firing"
    return fires and (not fault.event or fault.event in scene.events()) and fault.log_says in scene.service.log


async def is_over(fault: Fault, prometheus: Prometheus) -> bool:
    return fault.alert not in await prometheus.alerts()
