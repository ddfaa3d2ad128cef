"""Cached registration infos: removed phones go, and a search for them is rare however many phones there are."""

from __future__ import annotations

from unittest.mock import create_autospec

from service.ami.accounts import Account
from service.ami.link import Link
from service.domain.directory import Directory
from service.domain.models import Extension, Phone, Profile
from service.settings import CallServer, Settings
from service.web.softphone.registration_cache import RegistrationCache
from tests.support.database import call_server

PHONES = 1000


def extension(first: int) -> Extension:
    phones = [Phone(first + n, f"1001.{first + n}", "1001", "a secret of 1001", Profile.SIP) for n in range(PHONES)]
    return Extension("1001", "main", True, 1, "1001", tuple(phones))


def ask_for_all(cache: RegistrationCache, one: Extension) -> None:
    for phone in one.phones:
        assert cache.get(one, phone.phone_id) is not None


def test_removed_phones_go_and_existing_ones_cost_few_searches() -> None:
    directory = create_autospec(Directory, instance=True)
    server: CallServer = call_server()
    settings = Settings(call_servers={"main": server})
    links = {"main": Link("main", Account.monitor(server), deadline=10.0)}
    cache = RegistrationCache(settings, links, directory, b"k" * 32)
    for first in (0, PHONES, 2 * PHONES):
        one = extension(first)
        directory.registrable_extensions.return_value = [one]
        directory.registrable_extensions.reset_mock()
        directory.counts.return_value = {"extensions": 1}
        ask_for_all(cache, one)
        ask_for_all(cache, one)
        assert directory.registrable_extensions.call_count < 10
    assert len(cache._cached) < 2 * PHONES + 200
