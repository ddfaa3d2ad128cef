"""The bus of this process, watched for operators: its report, and the comparison of the collectors' maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from service.bus.differences import Differences
from service.bus.follower import Follower
from service.bus.report import Bus, Role, describe_follower
from service.runtime.task_supervisor import Supervisor


class BusWatch:
    """Watches the followers, if this process has any. `bus` is its report."""

    def __init__(
        self,
        role: Role,
        connected: Callable[[], bool],
        deadline: float = 0.0,
        followers: Mapping[str, Follower] = MappingProxyType({}),
    ) -> None:
        self._differences = {name: Differences(name, each.replicas, deadline) for name, each in followers.items()}
        reports = {
            name: partial(describe_follower, follower, self._differences[name], deadline)
            for name, follower in followers.items()
        }
        self.bus = Bus(role, connected, reports)

    def start(self, supervisor: Supervisor) -> None:
        """Start the comparisons."""
        for name, differences in self._differences.items():
            supervisor.start(f"differences {name}", differences.run())
