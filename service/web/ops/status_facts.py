"""Reads what is known of an extension from the directory and its link, and composes its status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web

from service.db import phones
from service.db.phones import StoredPhone
from service.domain.call_server import CallServer
from service.domain.contacts import Contact, shown_contact
from service.domain.models import PJSIP, Credentials, DeviceState, Extension, NotLive, Phone
from service.domain.status.facts import (
    DeviceFacts,
    ExtensionFacts,
    HintFacts,
    LinkCondition,
    PresenceConnectionCondition,
)
from service.domain.status.link_reasons import find_presence_reason
from service.domain.status.reason import Reason
from service.domain.status.reasons import find_reason
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable
from service.web.app_keys import DATABASE, DIRECTORY, LINKS, PRESENCE_FEED, SETTINGS, PresenceConnection
from service.web.ops.status_schemas import (
    ContactStatus,
    DeviceStatus,
    DirectoryStatus,
    ExtensionStatus,
    PhoneStatus,
    PresenceConnectionStatus,
    StatusReason,
)


def link_condition(link: CallServer) -> LinkCondition:
    """The condition of a link."""
    reading = link.states.read("")
    return LinkCondition(
        call_server=link.name,
        freshness=link.states.freshness,
        silent_since=reading.since if reading.reason is NotLive.SILENT else None,
        why_ended=link.facts.why_ended,
        failure=link.facts.failure,
        remedy=link.facts.remedy,
    )


def presence_connection_status(connection: PresenceConnection) -> PresenceConnectionStatus:
    """The status of the connection that sets presence."""
    condition = PresenceConnectionCondition(
        call_server=connection.call_server,
        connected=connection.connected,
        why_down=connection.why_down,
        failure=connection.failure,
        remedy=connection.remedy,
    )
    since = rfc3339_ms(connection.since)
    return PresenceConnectionStatus(condition.connected, since, reason_status(find_presence_reason(condition)))


def extension_facts(app: web.Application, extension: Extension) -> ExtensionFacts:
    """All that the reason of an extension's state depends on."""
    directory, server = app[DIRECTORY], app[SETTINGS].call_servers.get(extension.call_server)
    link = app[LINKS].get(extension.call_server)
    person = directory.extension_holder(extension)
    return ExtensionFacts(
        number=extension.number,
        local_number=extension.local_number,
        call_server=extension.call_server,
        enabled=extension.enabled,
        inactive_user=person.name if person is not None and not person.active else None,
        unreadable_user=extension.user_id if person is None else None,
        credentials=server.credentials if server is not None else Credentials.MANAGED,
        link=link_condition(link) if link is not None else None,
        devices=tuple(_device_facts(link, extension)) if link is not None else (),
        phones=tuple(phone.device for phone in extension.phones),
        hint=_hint_facts(link, extension) if link is not None else None,
        directory_unusable_since=directory.stale_since if not directory.usable else None,
    )


def _device_facts(link: CallServer, extension: Extension) -> Iterable[DeviceFacts]:
    phones = {phone.device: phone for phone in extension.phones}
    for device in link.devices_of(extension):
        is_endpoint = device.startswith(PJSIP)
        endpoint = device.removeprefix(PJSIP)
        yield DeviceFacts(
            device=device,
            state=link.states.get(device) if link.states.current else None,
            contacts=link.contacts_of(endpoint) if is_endpoint else None,
            trouble=link.trouble_of(device),
            missing=device in phones and phones[device].missing,
        )


def _hint_facts(link: CallServer, extension: Extension) -> HintFacts | None:
    hint = link.hints.of(extension.local_number)
    if hint is None:
        return None
    return HintFacts(tuple(link.hints.contexts_of(extension.local_number)), hint.devices, hint.ambiguous)


def directory_status(app: web.Application) -> DirectoryStatus:
    """The freshness of the directory."""
    directory = app[DIRECTORY]
    since = directory.stale_since
    return DirectoryStatus(
        "live" if since is None else "stale" if directory.usable else "unavailable",
        rfc3339_ms(since) if since is not None else None,
    )


def extension_status(app: web.Application, extension: Extension) -> tuple[ExtensionStatus, Reason | None]:
    """The status of an extension. Its item in the presence feed must be up to date."""
    facts = extension_facts(app, extension)
    reason = find_reason(facts)
    item = app[PRESENCE_FEED].get(extension.number)
    person = app[DIRECTORY].extension_holder(extension)
    contact = shown_contact(contact for device in facts.devices for contact in device.contacts or ())
    status = ExtensionStatus(
        extension=extension.number,
        call_server=extension.call_server,
        enabled=extension.enabled,
        user_id=person.uid if person is not None else None,
        username=person.name if person is not None else None,
        state=item.state if item is not None else DeviceState.UNKNOWN.value,
        live=item is not None and item.live,
        reason=reason.code if reason is not None else None,
        since=item.as_of if item is not None else None,
        devices=list(_devices(app, extension)),
        registered=item.registered if item is not None else None,
        reachable=item.reachable if item is not None else None,
        address=contact.address if contact is not None else None,
        user_agent=contact.user_agent if contact is not None else None,
        presence=item.presence if item is not None else None,
        message=item.message if item is not None else None,
    )
    return status, reason


async def stored_phones(app: web.Application, extension: Extension) -> dict[int, StoredPhone] | None:
    """The phones of an extension in PostgreSQL, by id; None while it is out of reach."""
    if app[DIRECTORY].stale_since is not None:
        return None  # without the time that a question may take
    try:
        return {phone.phone_id: phone for phone in await phones.list_stored(app[DATABASE], extension.number)}
    except DatabaseUnavailable:
        return None


def device_statuses(
    app: web.Application, extension: Extension, stored: Mapping[int, StoredPhone] | None
) -> list[DeviceStatus]:
    """The devices of an extension, then its stored phones that are not among them."""
    link = app[LINKS].get(extension.call_server)
    of_device = {phone.device: _phone_status(phone, stored) for phone in extension.phones}
    counted = _devices(app, extension)
    devices = dict.fromkeys((*counted, *of_device))
    return [_device_status(link, device, device in counted, of_device.get(device)) for device in devices]


def _devices(app: web.Application, extension: Extension) -> tuple[str, ...]:
    link = app[LINKS].get(extension.call_server)
    return link.devices_of(extension) if link is not None else tuple(phone.device for phone in extension.phones)


def _device_status(link: CallServer | None, device: str, counted: bool, phone: PhoneStatus | None) -> DeviceStatus:
    reading = link.states.read(device) if link is not None else None
    contacts = link.contacts_of(device.removeprefix(PJSIP)) if link is not None and device.startswith(PJSIP) else None
    return DeviceStatus(
        device=device,
        counted=counted,
        state=(reading.state if reading is not None else DeviceState.UNKNOWN).value,
        live=reading is not None and reading.live,
        phone=phone,
        contacts=None if contacts is None else [_contact_status(contact) for contact in contacts],
    )


def _phone_status(phone: Phone, stored: Mapping[int, StoredPhone] | None) -> PhoneStatus:
    row = stored.get(phone.phone_id) if stored is not None else None
    fetched_at = row.last_fetched_at if row is not None else None
    return PhoneStatus(
        id=phone.phone_id,
        endpoint=phone.endpoint,
        auth_username=phone.auth_username,
        profile=phone.profile,
        kind=phone.kind,
        label=phone.label,
        missing=phone.missing,
        fetched=fetched_at is not None if row is not None else None,
        last_fetched_at=rfc3339_ms(fetched_at) if fetched_at is not None else None,
        last_fetched_from=row.last_fetched_from if row is not None else None,
    )


def _contact_status(contact: Contact) -> ContactStatus:
    """Without the URI: a phone that is woken by push puts its push token there."""
    return ContactStatus(
        address=contact.address,
        user_agent=contact.user_agent,
        expires_at=rfc3339_ms(contact.expires_at) if contact.expires_at is not None else None,
        reachable=contact.reachable,
        round_trip_ms=contact.round_trip_us / 1000 if contact.round_trip_us is not None else None,
    )


def reason_status(reason: Reason | None) -> StatusReason | None:
    """The reason as it is answered."""
    return None if reason is None else StatusReason(reason.code, reason.cause, reason.next_step)
