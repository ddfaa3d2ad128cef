"""The decoders of presence calls. A poller repeats its query, so a query of filters alone is decoded once."""

from __future__ import annotations

import re

from service.web.http.param_errors import RocketChat
from service.web.http.params import Path, Query
from service.web.presence.schemas import PresencePath, PresenceQuery, StreamQuery, TicketQuery

_FILTERS = re.compile(r"(?:(?:extension|userId)=[^&]*(?:&|\Z))*")
_STREAM_FILTERS = re.compile(r"(?:(?:extension|userId|queues)=[^&]*(?:&|\Z))*")
"""A cursor is sent once, and a ticket must not stay in memory."""

PRESENCE = Query(PresenceQuery, RocketChat, cached=_FILTERS)
STREAM = Query(StreamQuery, RocketChat, cached=_STREAM_FILTERS)
TICKET = Query(TicketQuery, RocketChat)
"""Described as a security scheme."""
ONE_EXTENSION = Path(PresencePath)
