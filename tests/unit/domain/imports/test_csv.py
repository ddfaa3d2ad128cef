"""CSV files as sources: what is read, and which mistakes are named with their line."""

from __future__ import annotations

import csv
import io
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.imports.csv_source import MAX_BYTES, CsvSource, read_csv
from service.domain.imports.source import Skipped, Source, SourcePerson, SourcePhone
from service.domain.models import Profile
from service.errors import Invalid

SECRET = "a-secret-of-sip"


def read(text: str) -> Source:
    return read_csv(text.encode()).source


def mistake(text: str | bytes) -> str:
    with pytest.raises(Invalid) as raised:
        read_csv(text if isinstance(text, bytes) else text.encode())
    return str(raised.value)


def test_defaults_are_the_number_for_the_endpoint_and_the_endpoint_for_the_auth() -> None:
    source = read(f"extension,secret\n1001,{SECRET}\n")
    assert source.phones == (SourcePhone("1001", "1001", "1001", SECRET, Profile.SIP),)
    assert read(f"endpoint,secret\n1001,{SECRET}\n") == source


def test_every_column_is_read() -> None:
    source = read(
        "Extension,endpoint,secret,auth_username,name,profile,user,email\n"
        f"1005,alice,{SECRET},alice-login,Alice Liddell,webrtc,alice,alice@example.com\n"
    )
    assert source.phones == (SourcePhone("1005", "alice", "alice-login", SECRET, Profile.WEBRTC),)
    assert source.people == {"1005": SourcePerson("alice", "Alice Liddell", "alice@example.com")}


def test_several_endpoints_of_an_extension_are_its_phones() -> None:
    source = read("extension,endpoint,secret,user\n1001,1001,secret-one-11,ada\n1001,991001,secret-two-22,\n")
    assert [(phone.number, phone.endpoint) for phone in source.phones] == [("1001", "1001"), ("1001", "991001")]
    assert source.people["1001"].name == "ada"


def test_quotes_commas_semicolons_carets_and_unicode_stay_what_they_are() -> None:
    secret = ' al;ice\'s, ""p@ss^wörd"" ⚷ '
    source = read(f'extension,secret,name\r\n1005,"{secret}","Zoë ""Z"", Sales"\r\n')
    assert source.phones[0].secret == secret.replace('""', '"')
    assert source.people["1005"].fullname == 'Zoë "Z", Sales'


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_any_line_end_are_read(end: str) -> None:
    text = end.join(("\ufeffextension,secret", f"1001,{SECRET}", "", f"1002,{SECRET}"))
    assert [phone.number for phone in read(text).phones] == ["1001", "1002"]


def test_without_a_column_for_secrets_every_row_is_an_extension_without_a_phone() -> None:
    source = read("extension,user\n1001,ada\n1002,\n")
    assert not source.phones
    assert source.numbers == {"1001", "1002"}
    assert not source.lists_phones


def test_a_row_without_a_secret_is_skipped_where_others_have_one() -> None:
    source = read(f"extension,secret\n1001,\n1002,{SECRET}\n")
    assert source.skipped == (Skipped("1001", "its secret is empty"),)
    assert source.numbers == {"1002"}
    assert source.endpoints == {"1001", "1002"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("extension;secret\n1001;x\n", "line 1: the columns are separated by semicolons"),
        ("extension\tsecret\n", "line 1: the columns are separated by tabs"),
        ("extension,colour\n", "line 1: unknown columns 'colour'"),
        ("extension,\n", "line 1: unknown columns ''"),
        ("extension,secret,Secret\n", "line 1: the column secret is there twice"),
        ("secret,name\n", "line 1: neither the column extension nor endpoint is there"),
        ("extension,endpoint\n1001,1001\n", "line 1: columns of a phone without the column secret"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(text: str, expected: str) -> None:
    assert mistake(text).startswith(expected)


GOOD = f"1001,1001,{SECRET},,\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (f"10 01,x,{SECRET},,\n", "an extension is 1 to 40 of"),
        (f"{'1' * 41},x,{SECRET},,\n", "an extension is 1 to 40 of"),
        (f"1002,bü ro,{SECRET},,\n", "an endpoint is 1 to 80 of"),
        (f"1002,x,{'s' * 81},,\n", "the secret has more than 80 characters"),
        ("1002,x,a\x07bcdefghijkl,,\n", "the secret has characters that cannot be printed"),
        ("1002,x,a\0bcdefghijkl,,\n", "the secret has characters that cannot be printed"),
        (f"1002,x,{SECRET},@da,\n", "a name has no '@'"),
        (f"1002,x,{SECRET},,nobody\n", "an e-mail is somebody@somewhere"),
        (f"1002,x,{SECRET}\n", "3 values for 5 columns"),
        (f"1002,x,{SECRET},,,\n", "6 values for 5 columns"),
        (f"1002,1001,{SECRET},,\n", "its endpoint is in line 2 already"),
        (f"{GOOD}", "its endpoint is in line 2 already"),
        (f"1001,x,{SECRET},bob,\n1001,y,{SECRET},ada,\n", None),
        (f"{'x' * 20_000},x,{SECRET},,\n", "a value has more than 10,000 characters"),
    ],
)
def test_a_wrong_row_is_named_by_its_line_and_never_by_its_secret(row: str, expected: str | None) -> None:
    text = f"extension,endpoint,secret,user,email\n{GOOD}{row}1003,1003,{SECRET},,\n"
    said = mistake(text)
    line, expected = (4, "another row of its extension has another user") if expected is None else (3, expected)
    assert f"line {line}: {expected}" in said
    assert SECRET not in said
    assert "a\x07b" not in said


def test_lines_are_those_of_the_file_after_quoted_line_breaks() -> None:
    text = f'extension,secret,name\n1001,{SECRET},"two\nlines"\n\n1002,{SECRET},"and\r\nmore\n"\nno number,x,y\n'
    assert "line 8: an extension" in mistake(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'extension,secret\n1001,{SECRET}\n1002,"never ends\n1003,x\n', "line 3: a quoted value does not end"),
        (f'extension,secret\n1001,{SECRET}\n1002,"a"b\n', "line 3: text follows the closing quote"),
        (b"extension,name\n1001,ok\n1002,b\xfcro\n", "line 3: the file is not in UTF-8"),
        ("extension,name\n1001,x\n".encode("utf-16"), "line 1: the file is not in UTF-8"),
    ],
)
def test_what_is_not_csv_is_named_by_its_line(text: str | bytes, expected: str) -> None:
    assert mistake(text).startswith(expected)


def test_many_mistakes_are_bounded() -> None:
    said = mistake("extension\n" + "not a number\n" * 1000)
    assert said.count("\n") == 21
    assert said.endswith("and 980 more")


def test_size_rows_and_values_are_bounded() -> None:
    assert "more than 32 MiB" in mistake(b"x" * (MAX_BYTES + 1))
    assert "more than 100,000 rows" in mistake("extension\n" + "1001\n" * 100_001)
    assert "a value has more than 10,000 characters" in mistake(f"extension\n{'x' * 200_000}\n")


def test_20_000_rows_with_a_mistake_in_the_middle_name_it() -> None:
    rows = [f"{number},{SECRET}" for number in range(10_000, 30_000)]
    began = perf_counter()
    assert len(read("\n".join(["extension,secret", *rows])).phones) == 20_000
    assert perf_counter() - began < 10
    rows[12_345] = "wrong"
    assert "line 12347: 1 values for 2 columns" in mistake("\n".join(["extension,secret", *rows]))


VALUES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=80)


@given(st.lists(VALUES, min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_whatever_a_writer_of_csv_quotes_is_read_back(secrets: list[str], end: str, quote: bool) -> None:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL)
    writer.writerow(("extension", "secret"))
    writer.writerows((number, secret) for number, secret in enumerate(secrets))
    assert [phone.secret for phone in read(file.getvalue()).phones] == secrets


@given(st.binary(max_size=200))
def test_no_file_raises_anything_but_invalid(content: bytes) -> None:
    try:
        read_csv(b"extension,secret\n" + content)
        read_csv(content)
    except Invalid:
        pass


# --- FreePBX -------------------------------------------------------------------------------------------------------

FREEPBX = (
    "extension,password,name,voicemail,ringtimer,id,tech,dial,devicetype,user,secret,sipdriver,webrtc,voicemail_email"
)


def export(*rows: str) -> CsvSource:
    return read_csv("\n".join((FREEPBX, *rows, "")).encode())


def test_an_export_of_freepbx_is_read_as_it_is() -> None:
    read = export(
        f'1001,,"Ada Byron",default,0,1001,pjsip,PJSIP/1001,fixed,1001,{SECRET},chan_pjsip,no,"ada@example.com,b@c"',
        f"1002,,Bob,novm,0,1002,pjsip,PJSIP/1002,fixed,1002,{SECRET},chan_pjsip,yes,",
    )
    assert read.source.phones == (
        SourcePhone("1001", "1001", "1001", SECRET, Profile.SIP),
        SourcePhone("1002", "1002", "1002", SECRET, Profile.WEBRTC),
    )
    assert read.source.people["1001"] == SourcePerson(None, "Ada Byron", "ada@example.com")
    assert read.notices == ("read as an export of FreePBX: 8 of 14 columns are used",)


def test_other_technologies_of_freepbx_are_watched_or_skipped() -> None:
    source = export(
        f"1003,,Cy,novm,0,1003,sip,SIP/1003,fixed,1003,{SECRET},chan_sip,,",
        f"1007,,Di,novm,0,1007,iax2,IAX2/1007,fixed,1007,{SECRET},,,",
        "1008,,Ed,novm,0,,virtual,,,,,,,",
        f"1009,,Flo,novm,0,1009,sip,SIP/1009,fixed,1009,{SECRET},chan_pjsip,,",
    ).source
    assert source.numbers == {"1003", "1007", "1009"}
    assert [phone.number for phone in source.phones] == ["1009"]
    assert source.skipped == (Skipped("1008", "its technology is virtual"),)


def test_capital_column_names_of_freepbx_are_read_too() -> None:
    text = f"EXTENSION,NAME,TECH,DEVICETYPE,SECRET\n1001,Ada,pjsip,fixed,{SECRET}\n"
    assert [phone.number for phone in read(text).phones] == ["1001"]
