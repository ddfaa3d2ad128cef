"""Notifies the streams of a person when the SIP password of one of their phones changes. Synchronous and pure.

It compares what the directory has with what it had when the person's first stream opened. No event holds a password.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from service.domain.directory import Directory
from service.domain.models import Extension, Phone


class ChangedCredentials(msgspec.Struct, frozen=True):
    """A phone whose credentials changed: registration info answers the new ones."""

    extension: str
    phone: int
    endpoint: str


class CredentialSubscription:
    """The changes that a stream has not sent yet, the newest of each phone. `notify` must not wait.

    `is_theirs` tells whether the person still has the phone.
    """

    __slots__ = ("_changed", "_is_theirs", "_notify")

    def __init__(self, notify: Callable[[], None], is_theirs: Callable[[ChangedCredentials], bool]) -> None:
        self._notify = notify
        self._is_theirs = is_theirs
        self._changed: dict[int, ChangedCredentials] = {}

    def put(self, changed: ChangedCredentials) -> None:
        """Add a change."""
        self._changed[changed.phone] = changed
        self._notify()

    def take(self) -> list[ChangedCredentials]:
        """Remove and return the changes of phones that are the person's. The others wait: they may come back."""
        if not self._changed:
            return []
        theirs = [changed for changed in self._changed.values() if self._is_theirs(changed)]
        for changed in theirs:
            del self._changed[changed.phone]
        return theirs


class CredentialWatch:
    """Subscriptions by user. `directory_changed` takes the extensions that the directory has read again."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._subscriptions: dict[int, dict[CredentialSubscription, None]] = {}
        self._known: dict[int, dict[int, Phone]] = {}

    def subscribe(self, user_id: int, notify: Callable[[], None]) -> CredentialSubscription:
        """Subscribe to changes of this person's phones."""
        subscription = CredentialSubscription(notify, partial(self._has, user_id))
        if user_id not in self._subscriptions:
            self._subscriptions[user_id] = {}
            extension = self._extension_of(user_id)
            self._known[user_id] = {phone.phone_id: phone for phone in extension.phones} if extension else {}
        self._subscriptions[user_id][subscription] = None
        return subscription

    def unsubscribe(self, user_id: int, subscription: CredentialSubscription) -> None:
        """End a subscription."""
        subscriptions = self._subscriptions[user_id]
        subscriptions.pop(subscription, None)
        if not subscriptions:
            del self._subscriptions[user_id], self._known[user_id]

    def directory_changed(self, extensions: frozenset[str]) -> None:
        """Compare the phones of those who watch and hold one of these extensions."""
        if not self._subscriptions:
            return
        stored = map(self._directory.stored_extension, extensions)
        holders = {extension.user_id for extension in stored if extension is not None}
        for user_id in holders & self._subscriptions.keys():
            if user_id is not None:
                self._compare(user_id)

    def _compare(self, user_id: int) -> None:
        extension, known = self._extension_of(user_id), self._known[user_id]
        if extension is None:  # disabled for now; when it is back, what changed meanwhile is still a change
            return
        for phone in extension.phones:
            before = known.get(phone.phone_id)
            if phone.secret is None or (before is not None and _has_same_credentials(phone, before)):
                continue  # without a password: it gets one in a moment
            known[phone.phone_id] = phone
            for subscription in self._subscriptions[user_id]:
                subscription.put(ChangedCredentials(extension.number, phone.phone_id, phone.endpoint))
        for phone_id in known.keys() - {phone.phone_id for phone in extension.phones}:
            del known[phone_id]

    def _has(self, user_id: int, changed: ChangedCredentials) -> bool:
        extension = self._directory.stored_extension(changed.extension)
        if extension is None or extension.user_id != user_id:
            return False
        return any(phone.phone_id == changed.phone for phone in extension.phones)

    def _extension_of(self, user_id: int) -> Extension | None:
        number = self._directory.number_of(user_id)
        return self._directory.extension(number) if number is not None else None


def _has_same_credentials(phone: Phone, before: Phone) -> bool:
    return (phone.secret, phone.auth_username, phone.endpoint) == (
        before.secret,
        before.auth_username,
        before.endpoint,
    )
