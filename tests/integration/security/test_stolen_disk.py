"""What a thief gets from a dump, and from the disk of a PostgreSQL, which a replica's is to the byte."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import AsyncIterator

import pytest

from local.postgres_binaries import environment, find_binaries
from service.cli.demo import LOGINS
from service.credentials import token_hash
from tests.support.database import OWNER, PASSWORD, scratch
from tests.support.server import AGENT_UID, REGISTRATION, serving
from tests.support.worked_cluster import Worked, cluster, read_as_asterisk, worked


@pytest.fixture(scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worked]:
    """A working day. Nobody here changes it."""
    with cluster(scratch(tmp_path_factory.mktemp("disk"))) as server:
        async with worked(server) as made:
            yield made


@pytest.fixture(scope="module")
def dump(day: Worked) -> str:
    program = find_binaries(day.cluster) / "pg_dump"
    url = day.database.server.url(OWNER, "connector")
    done = subprocess.run(
        [program, f"--dbname={url}"],
        env={**environment(), "PGPASSWORD": PASSWORD},
        capture_output=True,
        timeout=60,
        check=True,
    )
    return done.stdout.decode()


async def test_the_secrets_were_in_use(day: Worked) -> None:
    """Otherwise nothing below would prove anything."""
    passwords = (await read_as_asterisk(day)).values()
    for name in ("SIP password of 900", "SIP password of 12342 after a new password"):
        assert day.secrets[name] in passwords


def test_a_dump_holds_no_secret(day: Worked, dump: str) -> None:
    assert day.found_in(dump.encode()) == []
    assert day.found_in(f"... {day.secrets['SIP password of 900']} ...".encode()) == ["SIP password of 900"]


@pytest.fixture(scope="module")
def files(day: Worked) -> dict[str, bytes]:
    """Every file of the cluster, by its path in it."""
    day.database.server.sql("checkpoint")
    found = (path for path in day.cluster.rglob("*") if path.is_file())
    return {str(path.relative_to(day.cluster)): path.read_bytes() for path in found}


ONCE_PLAIN = "SIP password of 12342"
"""The demo stores it as the release before does, in `extensions.secret`, from where a trigger takes it away."""


def test_a_disk_holds_no_secret_neither_in_tables_nor_in_what_was_overwritten_nor_in_the_write_ahead_log(
    day: Worked, files: dict[str, bytes]
) -> None:
    found = {path: names for path, data in files.items() if (names := day.found_in(data, but=(ONCE_PLAIN,)))}
    assert found == {}


def test_what_was_once_stored_in_plain_text_stays_on_the_disk_so_it_has_to_be_changed(
    day: Worked, files: dict[str, bytes]
) -> None:
    """Of every password from before there was a key, and a proof that the test above finds what is there."""
    places = {path.split("/")[0] for path, data in files.items() if ONCE_PLAIN in day.found_in(data)}
    assert places == {"base", "pg_wal"}


async def test_what_a_dump_holds_opens_no_call(day: Worked, dump: str) -> None:
    """Hashes of tokens, passwords and tickets, presented in each form in place of what they are of."""
    hashes = [bytes.fromhex(found) for found in re.findall(r"\\x([0-9a-f]{64})\b", dump)]
    assert token_hash(day.token) in hashes
    bcrypt_hashes = set(re.findall(r"\$2b\$\d\d\$[./A-Za-z0-9]{53}", dump))
    assert len(bcrypt_hashes) == len(LOGINS)
    forms = [*(each.hex() for each in hashes), *(base64.urlsafe_b64encode(each).decode()[:43] for each in hashes)]
    async with serving(day.settings) as server:
        for form in (*forms, *bcrypt_hashes):
            headers = {"X-Auth-Token": form, "X-User-Id": AGENT_UID}
            answers = [
                await server.client.get(REGISTRATION, params={"id": AGENT_UID}, headers=headers),
                await server.client.get("/user/1795", headers=headers),
                await server.client.get("/api/v1/presence/stream", params={"ticket": form}),
                await server.client.post("/api/v1/login", json={"resume": form}),
            ]
            assert {answer.status for answer in answers} == {401}, form
        for form in bcrypt_hashes:  # few, as each is a failed login
            answer = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": form})
            assert answer.status == 401


def test_a_dump_tells_people_numbers_and_addresses(dump: str) -> None:
    """What nothing protects: the page says so."""
    for readable in ("dnhai@example.com", "12342", "extension.created", "127.0.0.1", "asterisk_main"):
        assert readable in dump


async def test_no_key_in_the_database_opens_a_row(day: Worked, dump: str) -> None:
    """The dump's own random key, of entity tags and tickets, is another one."""
    keys = re.findall(r"\\x([0-9a-f]{64})\b", dump)
    assert keys
    for key in keys:
        assert await read_as_asterisk(day, f"{day.settings.secret_keys[0].name}:{key}") == {}
