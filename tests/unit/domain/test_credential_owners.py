"""Who owns the endpoints of a call server, by the settings and by PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from service.domain.credential_owners import MAX_NAMED, CredentialOwners
from service.domain.models import Credentials
from tests.support.stored import stored_extension, stored_phone

CONFIGURED = {"main": Credentials.MANAGED, "pbx": Credentials.IMPORTED}


def test_before_postgresql_is_read_the_settings_decide() -> None:
    owners = CredentialOwners(CONFIGURED)
    assert owners.imported == {"pbx"}
    assert not owners.differing


def test_a_call_server_is_imported_if_either_says_so() -> None:
    owners = CredentialOwners(CONFIGURED)
    owners.update({"main": "imported", "pbx": "managed", "gone": "imported", "old": "managed"})
    assert owners.imported == {"main", "pbx", "gone"}
    assert owners.differing == {"main": "imported", "pbx": "managed"}
    owners.update({"main": "managed", "pbx": "imported"})
    assert owners.imported == {"pbx"}
    assert not owners.differing


def test_an_owner_that_only_a_newer_release_knows_is_not_this_service() -> None:
    owners = CredentialOwners(CONFIGURED)
    owners.update({"main": "shared", "pbx": "imported"})
    assert owners.imported == {"main", "pbx"}


def test_a_call_server_that_migrate_has_not_seen_does_not_differ() -> None:
    owners = CredentialOwners(CONFIGURED)
    owners.update({"main": "managed"})
    assert owners.imported == {"pbx"}
    assert not owners.differing


def test_a_report_names_the_endpoints_that_asterisk_has_and_not_thousands() -> None:
    phones = tuple(stored_phone(f"e{number}") for number in range(MAX_NAMED + 5))
    extension = replace(
        stored_extension("1005", call_server="pbx"), phones=(stored_phone("gone", missing=True), *phones)
    )
    owners = CredentialOwners(CONFIGURED)
    assert owners.unrevoked_endpoints([stored_extension("12342"), extension]) == [
        phone.endpoint for phone in phones[:MAX_NAMED]
    ]
