"""The rules: the first that applies is the reason. An operator who follows its next step meets the following one."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from service.domain.status.device_reasons import find_device_reason
from service.domain.status.facts import ExtensionFacts
from service.domain.status.hint_reasons import find_mapping_reason, with_other_device
from service.domain.status.link_reasons import find_link_reason
from service.domain.status.reason import COMMAND, Reason, ReasonCode
from service.domain.timestamps import rfc3339_ms


def find_reason(facts: ExtensionFacts) -> Reason | None:
    """Return why the extension's state is unknown or no phone of it answers; None if a phone answers."""
    return next(filter(None, (rule(facts) for rule in _RULES)), None)


def _call_server_not_in_settings(facts: ExtensionFacts) -> Reason | None:
    if facts.link is not None:
        return None
    name = facts.call_server
    return Reason(
        ReasonCode.CALL_SERVER_NOT_IN_SETTINGS,
        f"The settings do not name its call server {name}.",
        f"Set CONNECTOR_CALL_SERVERS__{name.upper()}__HOST and its kin, and restart the service.",
    )


def _extension_disabled(facts: ExtensionFacts) -> Reason | None:
    if facts.enabled:
        return None
    return Reason(
        ReasonCode.EXTENSION_DISABLED,
        "The extension is disabled.",
        f"Enable it: `{COMMAND} extension enable {facts.number}`.",
    )


def _user_inactive(facts: ExtensionFacts) -> Reason | None:
    if facts.inactive_user is None:
        return None
    return Reason(
        ReasonCode.USER_INACTIVE,
        f"Its user {facts.inactive_user} is inactive.",
        f"Activate the user: `{COMMAND} user activate {shlex.quote(f'name:{facts.inactive_user}')}`.",
    )


def _user_unreadable(facts: ExtensionFacts) -> Reason | None:
    if facts.unreadable_user is None:
        return None
    return Reason(
        ReasonCode.USER_UNREADABLE,
        f"This release cannot read the row of its user {facts.unreadable_user}.",
        "Correct the row, or upgrade: the log event `directory_row_unreadable` names the error.",
    )


def _directory_unusable(facts: ExtensionFacts) -> Reason | None:
    if facts.directory_unusable_since is None:
        return None
    return Reason(
        ReasonCode.DIRECTORY_STALE,
        f"PostgreSQL could not be followed since {rfc3339_ms(facts.directory_unusable_since)}, "
        "so clients get no answer.",
        "Make PostgreSQL reachable; the log names the error.",
    )


def _link(facts: ExtensionFacts) -> Reason | None:
    return find_link_reason(facts.link) if facts.link is not None else None


def _devices(facts: ExtensionFacts) -> Reason | None:
    reason = find_device_reason(facts)
    return with_other_device(reason, facts) if reason is not None else None


_RULES: tuple[Callable[[ExtensionFacts], Reason | None], ...] = (
    _call_server_not_in_settings,
    _extension_disabled,
    _user_inactive,
    _user_unreadable,
    _directory_unusable,
    _link,
    find_mapping_reason,
    _devices,
)
