"""Compares what Asterisk has with what is stored: the number of endpoints, and what an import would add or miss."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from service.ami.diagnostics.device_checks import MOST_LOST_REMEDY, is_most
from service.ami.diagnostics.hint_devices import named
from service.domain.checked_extension import CheckedExtension
from service.domain.models import PJSIP, DeviceState, Finding

LOST_REMEDY = (
    "if it has just booted, check again; else sorcery.conf: put `endpoint = config,pjsip.conf,criteria=type=endpoint` "
    "before the realtime line of endpoint, and likewise for auth and aor; then restart Asterisk (docs/existing-pbx.md)"
)
NUMBER = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
"""What an extension's number may be; a hint of a feature code such as `*43` is none."""


def count_endpoints(states: Mapping[str, DeviceState]) -> int:
    """The PJSIP endpoints among the devices that Asterisk lists."""
    return sum(device.startswith(PJSIP) and state is not DeviceState.INVALID for device, state in states.items())


def report_count(part: str, count: int, expected: int | None) -> Finding:
    """The number of endpoints, and whether it is at least the number expected."""
    if expected is None or count >= expected:
        return Finding(part, f"has {count} PJSIP endpoints", detail=False)
    return Finding(part, f"has {count} PJSIP endpoints, {expected} expected: {expected - count} are lost", LOST_REMEDY)


def report_import(
    part: str, name: str, account: str, extensions: Collection[CheckedExtension], hinted: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    """What an import into an imported call server would add, and what the last one did not find."""
    new = sorted(_new_numbers(extensions, hinted))
    if new:
        remedy = f"see the plan: python -m service extension import --call-server {name} --from-ami {account}"
        yield Finding(part, f"dials {len(new)} extensions that are not stored: {named(new)}", remedy, needed=False)
    missing = sorted(endpoint for extension in extensions for endpoint in extension.missing)
    if missing:
        remedy = f"python -m service extension import --call-server {name} --from-ami {account} --apply --remove-gone"
        if is_most(len(missing), sum(len(extension.endpoints) for extension in extensions)):
            remedy = MOST_LOST_REMEDY
        yield Finding(part, f"the last import did not find {len(missing)} endpoints: {named(missing)}", remedy)


def _new_numbers(extensions: Collection[CheckedExtension], hinted: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Numbers that are not stored, without those that ring stored phones only: an import does not take them."""
    stored = {extension.local_number for extension in extensions}
    taken = {device for extension in extensions for device in extension.devices}
    for number, devices in hinted.items():
        if number not in stored and NUMBER.fullmatch(number) and not taken.issuperset(devices):
            yield number
