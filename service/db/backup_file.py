"""The file of a backup: a tar archive of `SHA256SUMS`, `manifest.json` and `database.dump`, in this order.

`tar --extract` and `sha256sum --check SHA256SUMS` read it without this program, and `pg_restore` reads the dump. It is
written under a temporary name beside its own, so that a file with its own name is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from service.domain.backup_manifest import FORMAT, Manifest
from service.errors import Refused

SUMS, MANIFEST, DUMP = "SHA256SUMS", "manifest.json", "database.dump"
PIECE = 1 << 20
MAX_TEXT = 1 << 20
"""Maximum size of each of the two small members, in bytes."""


@contextlib.contextmanager
def temporary(target: Path) -> Iterator[IO[bytes]]:
    """Yield a file beside `target`, readable by its owner only, and remove it at the end. Raises Refused."""
    number, name = _created(target)
    try:
        with os.fdopen(number, "w+b") as file:
            yield file
    finally:
        Path(name).unlink(missing_ok=True)


def _created(target: Path) -> tuple[int, str]:
    with _refused(target):
        return tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)


@contextlib.contextmanager
def _refused(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror or error}") from None


def refuse_existing(target: Path) -> None:
    """Raise Refused if there is something with this name: a backup never replaces another."""
    if target.exists() or target.is_symlink():
        raise Refused(f"{target} exists already, and no backup is replaced: choose another name")


def write(target: Path, manifest: Manifest, dump: IO[bytes]) -> int:
    """Write the archive, and return its size. `dump` is read from its beginning. Raises Refused."""
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    sums = f"{hashlib.sha256(encoded).hexdigest()}  {MANIFEST}\n{_digest(dump)}  {DUMP}\n".encode()
    number, name = _created(target)
    try:
        with _refused(target):
            with os.fdopen(number, "w+b") as file:
                _write_members(file, manifest, {SUMS: io.BytesIO(sums), MANIFEST: io.BytesIO(encoded), DUMP: dump})
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            _publish(Path(name), target)
    finally:
        Path(name).unlink(missing_ok=True)
    return size


def _write_members(file: IO[bytes], manifest: Manifest, members: Mapping[str, IO[bytes]]) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = (
                content.seek(0, os.SEEK_END),
                0o600,
                int(manifest.made_at.timestamp()),
            )
            content.seek(0)
            archive.addfile(member, content)


def _publish(file: Path, target: Path) -> None:
    """Give the complete file its name, which must be free, so that a power failure leaves all of it or nothing."""
    try:
        os.link(file, target)
    except FileExistsError:
        refuse_existing(target)
    except OSError:  # a file system without hard links
        refuse_existing(target)
        file.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@dataclass(frozen=True)
class Backup:
    """A backup whose checksums are right."""

    manifest: Manifest
    dump: IO[bytes]
    """The dump, at its beginning."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Backup]:
    """Open a backup and compare its checksums. Raises Refused for any other file, and for a damaged one."""
    with contextlib.ExitStack() as stack:
        damaged = f"{path} is damaged, or no backup of this program"
        try:
            backup = _read(stack, path, damaged)
        except (tarfile.TarError, EOFError):
            raise Refused(damaged) from None
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror or error}") from None
        yield backup


def _read(stack: contextlib.ExitStack, path: Path, damaged: str) -> Backup:
    archive = tarfile.open(fileobj=stack.enter_context(path.open("rb")), mode="r:")  # noqa: SIM115 - the stack closes it
    stack.enter_context(archive)
    names = [member.name for member in archive]
    if names != [SUMS, MANIFEST, DUMP]:
        raise Refused(f"{damaged}: it holds {', '.join(names)[:200] or 'nothing'}")
    sums, encoded = (_text(archive, name, damaged) for name in (SUMS, MANIFEST))
    dump = archive.extractfile(DUMP)
    if dump is None:
        raise Refused(f"{damaged}: it has no usable {DUMP}")
    expected = f"{hashlib.sha256(encoded).hexdigest()}  {MANIFEST}\n{_digest(dump)}  {DUMP}\n"
    if sums != expected.encode():
        raise Refused(f"{damaged}: its checksums differ")
    dump.seek(0)
    return Backup(_manifest(encoded, damaged), dump)


def _manifest(encoded: bytes, damaged: str) -> Manifest:
    try:
        written = msgspec.json.decode(encoded, type=dict[str, object]).get("format")
        if written != FORMAT:
            raise Refused(
                f"the backup has format {written}, and this release reads format {FORMAT}: use a newer release"
            )
        return msgspec.json.decode(encoded, type=Manifest)
    except msgspec.DecodeError:
        raise Refused(f"{damaged}: its manifest cannot be read") from None


def _text(archive: tarfile.TarFile, name: str, damaged: str) -> bytes:
    member = archive.extractfile(name)
    if member is None or archive.getmember(name).size > MAX_TEXT:
        raise Refused(f"{damaged}: it has no usable {name}")
    return member.read()


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while piece := file.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()
