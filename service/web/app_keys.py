"""Typed application keys of the parts that no single feature owns. A feature's own keys are beside their types."""

from collections.abc import Mapping

from aiohttp import web

from service.ami.kept_connection import KeptConnection
from service.ami.link import Link
from service.credentials import PasswordHasher
from service.db.activity import Activity
from service.db.change_listener import ChangeListener
from service.db.phone_activity import PhoneActivity
from service.db.pool import Database
from service.db.stream_tickets import StreamTickets
from service.db.user_loader import UserLoader
from service.domain.credential_owners import CredentialOwners
from service.domain.credential_watch import CredentialWatch
from service.domain.directory import Directory
from service.domain.first_registrations import FirstRegistrations
from service.domain.flapping import Flapping
from service.domain.held_request_quota import HeldRequestQuota
from service.domain.imports.status import ImportStatus
from service.domain.presence.feed import PresenceFeed
from service.domain.queue_feed import QueueFeed
from service.domain.session_watch import SessionWatch
from service.domain.unknown_call_servers import UnknownCallServers
from service.settings import Settings

IMPORTS = web.AppKey("imports", Mapping[str, ImportStatus])
"""By call server, if it is imported automatically."""
SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
LINKS = web.AppKey("links", dict[str, Link])
CREDENTIAL_OWNERS = web.AppKey("credential_owners", CredentialOwners)
PRESENCE_CONNECTIONS = web.AppKey("presence_connections", dict[str, KeptConnection])
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
