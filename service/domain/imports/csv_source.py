"""Reads a CSV file as the source of an import: one row per endpoint. Nothing is used of a file with a mistake."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.domain.imports import freepbx_csv
from service.domain.imports.csv_rows import Mistakes, Row, SourceBuilder
from service.domain.imports.source import Source
from service.errors import Invalid

COLUMNS = ("extension", "endpoint", "secret", "auth_username", "name", "profile", "user", "email")
MAX_BYTES = 32 * 1024 * 1024
MAX_ROWS = 100_000
MAX_FIELD_LENGTH = 10_000
"""Maximum length of one value, in characters. The longest column of a FreePBX holds 8,100."""


@dataclass(frozen=True, slots=True)
class CsvSource:
    """A source, and what a reader of the file should know."""

    source: Source
    notices: tuple[str, ...] = field(default=())


def read_csv(content: bytes) -> CsvSource:
    """Read a file. Raises Invalid, which names each mistake with its line."""
    text = _decoded(content)
    records = _records(text)
    try:
        _, header = next(records)
    except StopIteration:
        raise Invalid("the file is empty: its first line names the columns") from None
    names = [name.strip().lower() for name in header]
    if freepbx_csv.is_export(names):
        return _read_freepbx(names, records)
    _check_header(names)
    mistakes = Mistakes()
    builder = SourceBuilder(mistakes, has_secrets="secret" in names)
    for line, cells in records:
        if (row := _row(names, line, cells, mistakes)) is not None:
            builder.add(row)
    mistakes.raise_if_any()
    return CsvSource(builder.build())


def _read_freepbx(names: list[str], records: Iterator[tuple[int, list[str]]]) -> CsvSource:
    columns = freepbx_csv.columns(names)
    mistakes = Mistakes()
    builder = SourceBuilder(mistakes, has_secrets=True)
    for line, cells in records:
        if (row := _row(columns, line, cells, mistakes)) is not None:
            freepbx_csv.add(row, builder)
    mistakes.raise_if_any()
    used = sum(name in freepbx_csv.USED for name in columns)
    return CsvSource(builder.build(), (f"read as an export of FreePBX: {used} of {len(columns)} columns are used",))


def _decoded(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise Invalid(f"the file has more than {MAX_BYTES >> 20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Invalid(f"line {line}: the file is not in UTF-8") from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, each with the number of its first line. Raises Invalid."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = line = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(f"line {line}: {_reason(error)}") from None
        if cells:
            yield line, cells
            rows += 1
        if rows > MAX_ROWS:
            raise Invalid(f"line {line}: the file has more than {MAX_ROWS:,} rows")


def _reason(error: csv.Error) -> str:
    """Rephrase the reader's error, which may otherwise name its own internals."""
    text = str(error)
    if "unexpected end" in text:
        return "a quoted value does not end"
    if "expected after" in text:
        return 'text follows the closing quote of a value; a quote inside a value is doubled: ""'
    if "field larger" in text:
        return f"a value has more than {MAX_FIELD_LENGTH:,} characters"
    return "this is not CSV"


def _check_header(names: list[str]) -> None:
    """Raises Invalid unless the header has known columns, each once, and one that identifies a row."""
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in names[0]:
            raise Invalid(f"line 1: the columns are separated by {called}; save the file with commas")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        shown = ", ".join(repr(name[:40]) for name in unknown[:5])
        raise Invalid(f"line 1: unknown columns {shown}; the columns are {', '.join(COLUMNS)}")
    if len(set(names)) < len(names):
        raise Invalid(f"line 1: the column {next(name for name in names if names.count(name) > 1)} is there twice")
    if "extension" not in names and "endpoint" not in names:
        raise Invalid("line 1: neither the column extension nor endpoint is there")
    if "secret" not in names and {"endpoint", "auth_username", "profile"} & {*names}:
        raise Invalid("line 1: columns of a phone without the column secret")


def _row(names: list[str], line: int, cells: list[str], mistakes: Mistakes) -> Row | None:
    if len(cells) != len(names):
        mistakes.add(line, f"{len(cells)} values for {len(names)} columns")
        return None
    if any(len(cell) > MAX_FIELD_LENGTH for cell in cells):
        mistakes.add(line, f"a value has more than {MAX_FIELD_LENGTH:,} characters")
        return None
    return Row(line, dict(zip(names, cells, strict=True)))
