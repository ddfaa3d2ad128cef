"""`backup`: copies the whole database into one file."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from service.cli.operator_origin import command_line_origin
from service.db import backup
from service.domain.backup_manifest import describe_secrets
from service.settings import Settings


def _target(path: Path) -> Path:
    """The file to write; in a folder its name has the time."""
    return path / f"asterisk-connector-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup" if path.is_dir() else path


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Make a backup in the given file, or in a new one of the given folder."""
    target = _target(Path(arguments.path))
    manifest, size = await backup.make(settings, target, origin=command_line_origin())
    rows = manifest.rows
    sentence = (
        f"Backed up {rows['users']} users, {rows['extensions']} extensions and {rows['phones']} phones to {target} "
        f"({size} bytes). {describe_secrets(manifest)}"
    )
    arguments.out.done(sentence, file=str(target), bytes=size, manifest=msgspec.to_builtins(manifest))
