"""Maps the extensions of one call server to their devices, and back. Synchronous and pure.

A device is what Asterisk reports a state of. A hint of the extension's number on its call server names the devices;
`Custom:` ones do not count. Without a hint, and without a device in it that counts, they are the endpoints of the
extension's phones. On a managed call server they are both: the service makes phones there that no hint knows.

Hints that disagree about a number leave its devices unknown: the extension is not live (docs/decisions/0022).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, KeysView, Set
from dataclasses import dataclass

from service.domain.combined_state import combined_reading
from service.domain.device_states import DeviceStates
from service.domain.extension_hints import ExtensionHints
from service.domain.hints import unique
from service.domain.models import PJSIP, DeviceState, Extension, NotLive, Reading

_Index = dict[str, dict[str, None]]
"""Numbers by device or presence id, in their order. All hints may name one device: adding a number costs no copy."""


@dataclass(frozen=True, slots=True)
class MappingChange:
    """Devices whose extensions changed."""

    followed: Set[str]
    """Devices that extensions have now, whether they had them before or not."""
    dropped: Set[str]
    """Devices that no extension has any more."""


class DeviceMapping:
    """The followed extensions of a call server, with their devices."""

    def __init__(self, states: DeviceStates, hints: ExtensionHints | None = None, *, managed: bool = True) -> None:
        self._states = states
        self._hints = hints if hints is not None else ExtensionHints()
        self._managed = managed
        self._extensions: dict[str, Extension] = {}
        self._devices: dict[str, tuple[str, ...]] = {}  # by number; empty where hints disagree
        self._numbers: _Index = {}  # by device
        self._by_local_number: dict[str, str] = {}
        self.version = 0
        """Grows whenever an extension, its holder or its devices may have changed."""
        self._presence_ids: dict[str, str] = {}  # by number, where a hint names another than the local number
        self._by_presence_id: _Index = {}

    # --- writing: the link -------------------------------------------------------------------------------------

    def follow(self, wanted: Iterable[Extension], unwanted: Iterable[str]) -> MappingChange:
        """Set the `wanted` extensions and remove the `unwanted` numbers."""
        self.version += 1
        before: set[str] = set()
        after: set[str] = set()
        for number in unwanted:
            before.update(self._remove(number))
        for extension in wanted:
            before.update(self._remove(extension.number))
            after.update(self._add(extension))
        return MappingChange(after, {device for device in before if device not in self._numbers})

    def remap(self, local_numbers: Iterable[str]) -> tuple[list[str], MappingChange]:
        """Map these numbers of the call server again, as their hints changed. Returns the extensions concerned."""
        numbers = [number for local in local_numbers if (number := self._by_local_number.get(local)) is not None]
        return numbers, self.follow([self._extensions[number] for number in numbers], ())

    def _add(self, extension: Extension) -> tuple[str, ...]:
        number = extension.number
        devices, presence_id = self._map(extension)
        self._extensions[number] = extension
        self._by_local_number[extension.local_number] = number
        self._devices[number] = devices
        for device in devices:
            _insert(self._numbers, device, number)
        if presence_id is not None and presence_id != extension.local_number:
            self._presence_ids[number] = presence_id
            _insert(self._by_presence_id, presence_id, number)
        return devices

    def _remove(self, number: str) -> tuple[str, ...]:
        extension = self._extensions.pop(number, None)
        if extension is None:
            return ()
        if self._by_local_number.get(extension.local_number) == number:
            del self._by_local_number[extension.local_number]
        devices = self._devices.pop(number)
        for device in devices:
            _discard(self._numbers, device, number)
        if (presence_id := self._presence_ids.pop(number, None)) is not None:
            _discard(self._by_presence_id, presence_id, number)
        return devices

    def _map(self, extension: Extension) -> tuple[tuple[str, ...], str | None]:
        """Return an extension's devices, and the presence id that its hint names."""
        phones = tuple(phone.device for phone in extension.phones)
        hint = self._hints.of(extension.local_number)
        if hint is None:
            return phones, None
        if hint.ambiguous:
            return (), None
        if self._managed:
            return unique((*phones, *hint.counted)), hint.presence
        return hint.counted or phones, hint.presence

    # --- reading -----------------------------------------------------------------------------------------------

    def devices_of(self, extension: Extension) -> tuple[str, ...]:
        """Return the devices of an extension, followed or not; none where hints disagree."""
        devices = self._devices.get(extension.number)
        return self._map(extension)[0] if devices is None else devices

    def numbers_of(self, device: str) -> Collection[str]:
        """Return the numbers of the extensions that have this device."""
        return self._numbers.get(device, ())

    def devices(self) -> KeysView[str]:
        """Return the devices of all followed extensions."""
        return self._numbers.keys()

    def number_of(self, local_number: str) -> str | None:
        """Return the extension that Asterisk dials under this number."""
        return self._by_local_number.get(local_number)

    def presence_id_of(self, extension: Extension) -> str:
        """Return the name of an extension's custom presence: what its hint says, else the local number."""
        return self._presence_ids.get(extension.number, extension.local_number)

    def numbers_of_presence(self, presence_id: str) -> Collection[str]:
        """Return the numbers of the extensions with this custom presence."""
        named = self._by_presence_id.get(presence_id, ())
        number = self._by_local_number.get(presence_id)
        return named if number is None or number in self._presence_ids else (*named, number)

    def read(self, extension: Extension) -> Reading:
        """Return an extension's current state: its devices' as one, and not live if one of them is not."""
        devices = self._devices.get(extension.number)
        if devices is None:
            devices = self.devices_of(extension)
        if len(devices) == 1:
            return self._states.read(devices[0])
        return combined_reading(map(self._states.read, devices)) or self._unmapped()

    def _unmapped(self) -> Reading:
        """Return the reading of an extension without a device: not live, for the link's reason if it is down."""
        reading = self._states.read("")
        return reading if not reading.live else Reading(DeviceState.UNKNOWN, NotLive.UNTRACKED, self._states.since)


def endpoints(devices: Iterable[str]) -> set[str]:
    """Return the PJSIP endpoints among these devices."""
    return {device[len(PJSIP) :] for device in devices if device.startswith(PJSIP)}


def _insert(index: _Index, key: str, number: str) -> None:
    index.setdefault(key, {})[number] = None


def _discard(index: _Index, key: str, number: str) -> None:
    numbers = index[key]
    numbers.pop(number, None)
    if not numbers:
        del index[key]
