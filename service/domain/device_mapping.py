"""Maps the extensions of one call server to their devices, and back. Synchronous and pure.

A device is what Asterisk reports a state of. The devices of an extension are its phones' endpoints.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set

from service.domain.device_states import DeviceStates
from service.domain.models import PJSIP, DeviceState, Extension, NotLive, Reading


class DeviceMapping:
    """The followed extensions of a call server, with their devices."""

    def __init__(self, states: DeviceStates) -> None:
        self._states = states
        self._extensions: dict[str, Extension] = {}
        self._devices: dict[str, tuple[str, ...]] = {}  # by number
        self._numbers: dict[str, tuple[str, ...]] = {}  # by device
        self._by_local_number: dict[str, str] = {}

    # --- writing: the link -------------------------------------------------------------------------------------

    def follow(self, wanted: Iterable[Extension], unwanted: Iterable[str]) -> tuple[Set[str], Set[str]]:
        """Set the `wanted` extensions and remove the `unwanted` numbers.

        Returns the endpoints of these extensions that are to be followed now, and those that no extension has any more.
        """
        before: set[str] = set()
        after: set[str] = set()
        for number in unwanted:
            before.update(self._remove(number))
        for extension in wanted:
            before.update(self._remove(extension.number))
            after.update(self._add(extension))
        dropped = {device for device in before if device not in self._numbers}
        return endpoints(after), endpoints(dropped)

    def _add(self, extension: Extension) -> tuple[str, ...]:
        number = extension.number
        devices = tuple(phone.device for phone in extension.phones)
        self._extensions[number] = extension
        self._by_local_number[extension.local_number] = number
        self._devices[number] = devices
        for device in devices:
            self._numbers[device] = (*self._numbers.get(device, ()), number)
        return devices

    def _remove(self, number: str) -> tuple[str, ...]:
        extension = self._extensions.pop(number, None)
        if extension is None:
            return ()
        if self._by_local_number.get(extension.local_number) == number:
            del self._by_local_number[extension.local_number]
        devices = self._devices.pop(number)
        for device in devices:
            others = tuple(other for other in self._numbers[device] if other != number)
            if others:
                self._numbers[device] = others
            else:
                del self._numbers[device]
        return devices

    # --- reading -----------------------------------------------------------------------------------------------

    def devices_of(self, extension: Extension) -> tuple[str, ...]:
        """Return the devices of an extension, followed or not."""
        devices = self._devices.get(extension.number)
        return tuple(phone.device for phone in extension.phones) if devices is None else devices

    def numbers_of(self, device: str) -> Collection[str]:
        """Return the numbers of the extensions that have this device."""
        return self._numbers.get(device, ())

    def number_of(self, local_number: str) -> str | None:
        """Return the extension that Asterisk dials under this number."""
        return self._by_local_number.get(local_number)

    def read(self, extension: Extension) -> Reading:
        """Return an extension's current state."""
        devices = self.devices_of(extension)
        if not devices:
            return self._unmapped()
        return self._states.read(devices[0])

    def _unmapped(self) -> Reading:
        """Return the reading of an extension without a device: not live, for the link's reason if it is down."""
        reading = self._states.read("")
        return reading if not reading.live else Reading(DeviceState.UNKNOWN, NotLive.UNTRACKED, self._states.since)


def endpoints(devices: Iterable[str]) -> set[str]:
    """Return the PJSIP endpoints among these devices."""
    return {device[len(PJSIP) :] for device in devices if device.startswith(PJSIP)}
