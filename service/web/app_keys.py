"""Typed application keys of the parts that no single feature owns. A feature's own keys are beside their types."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from aiohttp import web

from service.bus.report import Bus
from service.credentials import PasswordHasher
from service.db.activity import Activity
from service.db.change_listener import ChangeListener
from service.db.phone_activity import PhoneActivity
from service.db.pool import Database
from service.db.stream_tickets import StreamTickets
from service.db.user_loader import UserLoader
from service.domain.call_server import CallServer
from service.domain.credential_owners import CredentialOwners
from service.domain.credential_watch import CredentialWatch
from service.domain.custom_presence import Presence
from service.domain.directory import Directory
from service.domain.first_registrations import FirstRegistrations
from service.domain.flapping import Flapping
from service.domain.held_request_quota import HeldRequestQuota
from service.domain.imports.status import ImportStatus
from service.domain.presence.feed import PresenceFeed
from service.domain.queue_feed import QueueFeed
from service.domain.session_watch import SessionWatch
from service.domain.status.facts import LinkFailure
from service.domain.unknown_call_servers import UnknownCallServers
from service.settings import Settings


class PresenceConnection(Protocol):
    """The way to set presence in one call server."""

    call_server: str

    @property
    def connected(self) -> bool:
        """Whether presence can be set now."""
        ...

    @property
    def since(self) -> datetime:
        """Time of the last change of `connected`."""
        ...

    @property
    def why_down(self) -> str | None:
        """The last failure, in words; None while connected, and before the first attempt has ended."""
        ...

    @property
    def failure(self) -> LinkFailure | None: ...

    @property
    def remedy(self) -> str | None: ...

    @property
    def opened(self) -> int:
        """Connections opened since the start, each with one login."""
        ...

    async def set_presence(self, presence_id: str, presence: Presence) -> None:
        """Set a custom presence; its id is `DeviceMapping.presence_id_of`. Raises CallServerUnavailable."""
        ...


IMPORTS = web.AppKey("imports", Mapping[str, ImportStatus])
"""By call server, if it is imported automatically."""
SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
LINKS = web.AppKey("links", Mapping[str, CallServer])
BUS = web.AppKey("bus", Bus)
"""Absent without a bus."""
CREDENTIAL_OWNERS = web.AppKey("credential_owners", CredentialOwners)
PRESENCE_CONNECTIONS = web.AppKey("presence_connections", Mapping[str, PresenceConnection])
"""Connections of the accounts `presence`, by call server, if it has such an account."""
ACTIVITY = web.AppKey("activity", Activity)
PHONE_ACTIVITY = web.AppKey("phone_activity", PhoneActivity)
FIRST_REGISTRATIONS = web.AppKey("first_registrations", FirstRegistrations)
HASHER = web.AppKey("hasher", PasswordHasher)
DIRECTORY = web.AppKey("directory", Directory)
CREDENTIAL_WATCH = web.AppKey("credential_watch", CredentialWatch)
FLAPPING = web.AppKey("flapping", Flapping)
PRESENCE_FEED = web.AppKey("presence_feed", PresenceFeed)
QUEUE_FEED = web.AppKey("queue_feed", QueueFeed)
SESSION_WATCH = web.AppKey("session_watch", SessionWatch)
STREAM_QUOTA = web.AppKey("stream_quota", HeldRequestQuota)
LONG_POLL_QUOTA = web.AppKey("long_poll_quota", HeldRequestQuota)
CHANGE_LISTENER = web.AppKey("change_listener", ChangeListener)
STREAM_TICKETS = web.AppKey("stream_tickets", StreamTickets)
TAG_KEY = web.AppKey("tag_key", bytes)
UNKNOWN_CALL_SERVERS = web.AppKey("unknown_call_servers", UnknownCallServers)
USER_LOADER = web.AppKey("user_loader", UserLoader)
