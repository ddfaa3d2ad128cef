"""Why devices of one call server have no known state, as far as the last attempts found. Pure."""

from __future__ import annotations

from collections.abc import Callable, KeysView

from service.domain.status.facts import DeviceTrouble


class DeviceTroubles:
    """The troubles by device."""

    def __init__(self) -> None:
        self._troubles: dict[str, DeviceTrouble] = {}
        self.device_set: Callable[[str], None] = lambda _: None
        """Called with a device whose trouble was set or removed."""

    def put(self, device: str, trouble: DeviceTrouble | None) -> None:
        """Set a device's trouble; None removes it."""
        if self._troubles.get(device) == trouble:
            return
        if trouble is None:
            del self._troubles[device]
        else:
            self._troubles[device] = trouble
        self.device_set(device)

    def clear(self) -> None:
        """Remove all."""
        for device in list(self._troubles):
            self.put(device, None)

    def get(self, device: str) -> DeviceTrouble | None:
        """Return a device's trouble."""
        return self._troubles.get(device)

    def devices(self) -> KeysView[str]:
        """Return the devices with a trouble."""
        return self._troubles.keys()
