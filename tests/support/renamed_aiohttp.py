"""An aiohttp that lacks what this service uses of its private names, as a release to come may lack it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import aiohttp


def renamed_aiohttp(folder: Path, *names: str) -> Path:
    """Copy the installed aiohttp into a folder, give these attributes other names, and return PYTHONPATH's entry.

    The copy works as before. Its compiled parser keeps its names: AIOHTTP_NO_EXTENSIONS=1 takes the one in Python.
    """
    package = folder / "aiohttp"
    shutil.copytree(Path(aiohttp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    wanted = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    renamed = set[str]()
    for path in package.rglob("*.py"):
        source = path.read_text()
        renamed |= set(wanted.findall(source))
        path.write_text(wanted.sub(r"\1_renamed", source))
    assert renamed == set(names)
    return folder
