"""`restore`: brings a backup into an empty database."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from service.cli.operator_origin import command_line_origin
from service.db import backup, backup_file
from service.domain.timestamps import rfc3339_ms
from service.settings import Settings


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Check the backup and the database, then restore unless `--check` is given."""
    with backup_file.opened(Path(arguments.file)) as opened:
        manifest, facts = opened.manifest, msgspec.to_builtins(opened.manifest)
        program = await backup.check_target(settings, manifest, without_key=arguments.without_key)
        made_at = rfc3339_ms(manifest.made_at)
        of = f"the backup of {made_at}, made by release {manifest.version} with schema revision {manifest.revision}"
        if arguments.check:
            arguments.out.done(f"This database can take {of}. Nothing was changed.", manifest=facts)
            return
        await backup.restore(settings, opened, program, origin=command_line_origin())
    sentence = (
        f"Restored {of}. Roles and schema are up to date: start the service. Tokens that were revoked after "
        "the backup are valid again: `token revoke` ends them."
    )
    arguments.out.done(sentence, manifest=facts)
