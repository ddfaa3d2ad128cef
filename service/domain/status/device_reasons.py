"""Why the state of an extension whose link is live is unknown, or why no phone of it answers."""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.models import Credentials, DeviceState
from service.domain.status.facts import DeviceFacts, ExtensionFacts, Trouble
from service.domain.status.reason import COMMAND, Reason, ReasonCode

_OFF = frozenset({DeviceState.UNAVAILABLE, DeviceState.INVALID, DeviceState.UNKNOWN})
"""States in which no phone answers."""


def find_device_reason(facts: ExtensionFacts) -> Reason | None:
    """Return the reason of the first device whose state is unknown; if none is, why all of them are off."""
    for device in facts.devices:
        if device.state is None:
            return _unknown_state(device, facts)
    if any(device.state not in _OFF for device in facts.devices):
        return None
    return _off(facts)


def _unknown_state(device: DeviceFacts, facts: ExtensionFacts) -> Reason:
    if (reason := _absent(device, facts)) is not None:
        return reason
    trouble = device.trouble
    name = _name(device)
    if trouble is None:
        return Reason(
            ReasonCode.NOT_TRACKED_YET,
            f"The state of {name} is being read from Asterisk.",
            "Ask again in a few seconds.",
        )
    if trouble.trouble is Trouble.UNTRACKED:
        return Reason(
            ReasonCode.UNTRACKED,
            f"A phone may be registered as {name}, and Asterisk does not track its state.",
            "It is repaired when the phone registers again. The AMI account `sync` repairs it at once.",
        )
    return Reason(
        ReasonCode.CLASS_MISSING if "Permission denied" in trouble.detail else ReasonCode.UNTRACKED,
        f"The state of {name} could not be read: {trouble.detail.rstrip('.')}.",
        f"See whether the account `monitor` has write class `reporting`: `{COMMAND} check`.",
    )


def _absent(device: DeviceFacts, facts: ExtensionFacts) -> Reason | None:
    """Return the reason of a device that Asterisk does not have."""
    name = _name(device)
    if device.missing:
        return Reason(
            ReasonCode.ENDPOINT_MISSING,
            f"The last import did not find {name} in Asterisk.",
            f"Restore it there, or remove it here: `{COMMAND} extension import` with `--remove-gone`.",
        )
    unknown = device.trouble is not None and device.trouble.trouble is Trouble.UNKNOWN_TO_ASTERISK
    if not unknown and device.state is not DeviceState.INVALID:
        return None
    if device.endpoint is None or facts.credentials is Credentials.IMPORTED:
        step = f"Create it in Asterisk, or see what an import would change: `{COMMAND} extension import`."
    else:
        step = f"See whether Asterisk reads the views of PostgreSQL: `{COMMAND} check`."
    return Reason(ReasonCode.ENDPOINT_UNKNOWN, f"Asterisk does not know {name}.", step)


def _off(facts: ExtensionFacts) -> Reason:
    """Return why every device is off. A registration that does not answer is the most specific reason."""
    for device in facts.devices:
        if device.contacts:
            return _not_answering(device)
    if all(device.state is DeviceState.INVALID for device in facts.devices):
        absent = _absent(facts.devices[0], facts)
        assert absent is not None
        return absent
    for device in facts.devices:
        if device.state is DeviceState.UNKNOWN:
            return Reason(
                ReasonCode.DEVICE_UNKNOWN,
                f"Asterisk itself reports the state of {_name(device)} as unknown.",
                "See whether its channel driver is loaded in Asterisk.",
            )
    available = [device for device in facts.devices if device.state is DeviceState.UNAVAILABLE]
    for device in available:
        if device.endpoint is not None and device.contacts is None:
            return Reason(
                ReasonCode.CONTACTS_UNKNOWN,
                f"Asterisk reports {_name(device)} as unavailable, and its registrations are not known.",
                "Ask again in a few seconds. If they stay unknown, see whether `func_pjsip_aor` and "
                f"`func_pjsip_contact` are loaded: `{COMMAND} check`.",
            )
    return _not_registered(available)


def _not_registered(devices: Iterable[DeviceFacts]) -> Reason:
    return Reason(
        ReasonCode.NOT_REGISTERED,
        f"No phone is registered as {' or '.join(map(_name, devices))}.",
        "Start the phone. If Asterisk refuses it, Asterisk's log names its address and the reason.",
    )


def _not_answering(device: DeviceFacts) -> Reason:
    addresses = sorted({contact.address for contact in device.contacts or () if contact.address})
    return Reason(
        ReasonCode.NOT_ANSWERING,
        f"A phone is registered as {_name(device)}{' from ' + ', '.join(addresses) if addresses else ''}, "
        "and does not answer Asterisk.",
        "See whether the phone is on, and whether a firewall or NAT between it and Asterisk drops packets.",
    )


def _name(device: DeviceFacts) -> str:
    return f"endpoint {device.endpoint}" if device.endpoint is not None else f"device {device.device}"
