"""Composes what set-up links and device URLs need beside the directory."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from service.db.phone_activity import PhoneActivity
from service.db.pool import Database
from service.domain.call_server import CallServer
from service.runtime.link_ender import LinkEnder
from service.runtime.task_supervisor import Supervisor
from service.web.app_keys import FIRST_REGISTRATIONS, PHONE_ACTIVITY
from service.web.setup.guesses import GUESSES, Guesses


class PhoneSetups:
    """The parts of one process."""

    def __init__(self, database: Database, links: Mapping[str, CallServer]) -> None:
        self.activity = PhoneActivity(database)
        self._ender = LinkEnder(database, links)

    def install(self, app: web.Application) -> None:
        """Make the parts known to the handlers."""
        app[GUESSES] = Guesses()
        app[PHONE_ACTIVITY] = self.activity
        app[FIRST_REGISTRATIONS] = self._ender.first_registrations

    def start(self, supervisor: Supervisor) -> None:
        """Start the tasks."""
        supervisor.start("phone activity", self.activity.run())
        supervisor.start("set-up links", self._ender.run())
