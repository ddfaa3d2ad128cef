"""Why an extension has no device, or another one than its phones: what the hints of its call server say."""

from __future__ import annotations

from service.domain.models import Credentials
from service.domain.status.facts import ExtensionFacts, HintFacts
from service.domain.status.reason import COMMAND, Reason, ReasonCode


def find_mapping_reason(facts: ExtensionFacts) -> Reason | None:
    """Return why the extension has no device; None if it has one."""
    if facts.hint is not None and facts.hint.ambiguous:
        return _ambiguous(facts, facts.hint)
    if facts.devices:
        return None
    if facts.hint is not None:
        return Reason(
            ReasonCode.HINT_WITHOUT_DEVICE,
            f"The hint of {facts.local_number} in {_list(facts.hint.contexts)} names no device of a phone, "
            f"only {_list(facts.hint.devices)}, and no phone is stored.",
            "Add the phone's device to the hint in the dialplan, or import its endpoint: "
            f"`{COMMAND} extension import`.",
        )
    if facts.credentials is Credentials.IMPORTED:
        step = f"Add an endpoint in Asterisk and import it: `{COMMAND} extension import`."
    else:
        step = f"Delete the extension and create it again: `{COMMAND} extension create {facts.number}`."
    return Reason(ReasonCode.NO_DEVICE, "The extension has no phone, and no hint names a device for it.", step)


def with_other_device(reason: Reason, facts: ExtensionFacts) -> Reason:
    """Return the reason of an extension whose hint names other devices than its phones; else the reason as it is."""
    devices = [device.device for device in facts.devices]
    if facts.hint is None or not facts.phones or set(facts.phones) & set(devices):
        return reason
    return Reason(
        ReasonCode.OTHER_DEVICE,
        f"The hint of {facts.local_number} in {_list(facts.hint.contexts)} names {_list(devices)}, and not "
        f"{_list(facts.phones)}, which is stored as its phone. {reason.cause}",
        f"Correct the hint in the dialplan, or see what an import would change: `{COMMAND} extension import`.",
    )


def _ambiguous(facts: ExtensionFacts, hint: HintFacts) -> Reason:
    if len(hint.contexts) < 2:
        return Reason(
            ReasonCode.AMBIGUOUS_HINTS,
            f"Asterisk reloads its dialplan, and the hint of {facts.local_number} is not known meanwhile.",
            "Ask again in a few seconds.",
        )
    setting = f"CONNECTOR_CALL_SERVERS__{facts.call_server.upper()}__HINT_CONTEXT"
    return Reason(
        ReasonCode.AMBIGUOUS_HINTS,
        f"The hints of {facts.local_number} in {_list(hint.contexts)} name different devices.",
        f"Set {setting} to the context whose hints are right, and restart the service.",
    )


def _list(names: tuple[str, ...] | list[str]) -> str:
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
