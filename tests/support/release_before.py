"""The service of the last release, from the repository's history: what an upgrade starts from and may go back to."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.command_line import ROOT

COMMIT = "7af528f0af633c386885875cc9ab1dfd93629b84"
"""Version 0.1.0. Move it when another version is released."""


@pytest.fixture(scope="session")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `python -m service` is the last release, with the libraries of this one."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", COMMIT, "service"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.fail(
            f"the last release ({COMMIT}) is not in this clone's history: clone the repository whole, or "
            f"`git fetch --unshallow`. git says: {done.stderr.decode(errors='replace').strip()}"
        )
    folder = tmp_path_factory.mktemp("release_before")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
