"""The queries of docs/import.md, on tables like those of FreePBX and MikoPBX.

FreePBX has MySQL. The query keeps to what PostgreSQL shares with it, and runs there.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3

from service.domain.imports.csv_source import read_csv
from service.domain.imports.source import SourcePerson, SourcePhone
from service.domain.models import Profile
from tests.support.command_line import ROOT
from tests.support.database import TestDatabase

PAGE = (ROOT / "docs/import.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
FREEPBX_HEADER = "extension,endpoint,secret,auth_username,name,profile\n"
FREEPBX = """
create schema freepbx;
set search_path = freepbx;
create table users (extension varchar(20), name varchar(50));
create table devices (id varchar(20), tech varchar(10), "user" varchar(50));
create table sip (id varchar(20), keyword varchar(30), data varchar(8100));
insert into users values ('1001', 'Ada "the first", Byron'), ('1002', null), ('1003', 'Cy');
insert into devices values ('1001', 'pjsip', '1001'), ('991001', 'pjsip', '1001'), ('1002', 'pjsip', '1002'),
    ('1003', 'sip', '1003');
insert into sip values ('1001', 'secret', 'a "quoted", secret'), ('991001', 'secret', 'twin-secret-1'),
    ('991001', 'webrtc', 'yes'), ('1002', 'secret', 'plain-secret-1'), ('1002', 'username', 'login'),
    ('1003', 'secret', 'of chan_sip');
"""
MIKOPBX = """
create table m_Sip (extension text, secret text, type text, disabled text);
create table m_Extensions (number text, callerid text, userid integer);
create table m_Users (id integer, email text);
insert into m_Users values (1, 'ada@example.com');
insert into m_Extensions values ('201', 'Ада', 1), ('202', 'Bob', null);
insert into m_Sip values ('201', 'secret-of-201', 'peer', '0'), ('202', 'secret-of-202', 'peer', '0'),
    ('203', 'switched off', 'peer', '1'), ('provider', 'of a trunk', 'friend', '0');
"""


async def test_the_query_over_the_tables_of_freepbx_is_a_csv_source(database: TestDatabase) -> None:
    connection = await database.connect()
    try:
        await connection.execute(FREEPBX)
        lines = [row[0] for row in await connection.fetch(QUERIES[0])]
    finally:
        await connection.close()
    assert FREEPBX_HEADER.strip() in PAGE
    source = read_csv((FREEPBX_HEADER + "\n".join(lines)).encode()).source
    assert source.phones == (
        SourcePhone("1001", "1001", "1001", 'a "quoted", secret', Profile.SIP),
        SourcePhone("1001", "991001", "991001", "twin-secret-1", Profile.WEBRTC),
        SourcePhone("1002", "1002", "login", "plain-secret-1", Profile.SIP),
    )
    assert source.people["1001"] == SourcePerson(None, 'Ada "the first", Byron')


def test_the_query_over_the_file_of_mikopbx_is_a_csv_source() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.executescript(MIKOPBX)
        cursor = database.execute(QUERIES[1])
        rows = [[column[0] for column in cursor.description], *cursor.fetchall()]
    text = "".join(",".join("" if value is None else value for value in row) + "\n" for row in rows)
    source = read_csv(text.encode()).source
    assert [(phone.endpoint, phone.secret) for phone in source.phones] == [
        ("201", "secret-of-201"),
        ("202", "secret-of-202"),
    ]
    assert source.people["201"] == SourcePerson(None, "Ада", "ada@example.com")
