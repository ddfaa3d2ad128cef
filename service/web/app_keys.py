"""Typed keys of the application's parts that no single feature owns; a feature's own keys are beside their types."""

from aiohttp import web

from service.ami.link import Link
from service.ami.persistent_client import KeptConnection
from service.credentials import PasswordHasher
from service.db.activity import Activity
from service.db.change_listener import Changes
from service.db.pool import Database
from service.db.stream_tickets import Tickets
from service.db.user_loader import UserReads
from service.domain.directory import Directory
from service.domain.held_request_quota import HeldAnswers
from service.domain.presence.feed import Board
from service.domain.session_watch import TokenWatch
from service.domain.unknown_call_servers import UnknownCallServers
from service.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
DATABASE = web.AppKey("database", Database)
LINKS = web.AppKey("links", dict[str, Link])
PRESENCE_ACCOUNTS = web.AppKey("presence_accounts", dict[str, KeptConnection])
"""By call server, where it has one."""
ACTIVITY = web.AppKey("activity", Activity)
HASHER = web.AppKey("hasher", PasswordHasher)
DIRECTORY = web.AppKey("directory", Directory)
BOARD = web.AppKey("board", Board)
WATCH = web.AppKey("watch", TokenWatch)
HELD_STREAMS = web.AppKey("held_streams", HeldAnswers)
HELD_POLLS = web.AppKey("held_polls", HeldAnswers)
CHANGES = web.AppKey("changes", Changes)
TICKETS = web.AppKey("tickets", Tickets)
TAG_KEY = web.AppKey("tag_key", bytes)
UNKNOWN_CALL_SERVERS = web.AppKey("unknown_call_servers", UnknownCallServers)
USER_READS = web.AppKey("user_reads", UserReads)
