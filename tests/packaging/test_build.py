"""`make deb` itself. A second build takes half a minute: this is a part of `make nightly`, and not of `.ci/run`."""

from __future__ import annotations

from pathlib import Path

from local import deb


def test_two_builds_are_the_same_bytes(package: Path, tmp_path: Path) -> None:
    assert deb.make_package(tmp_path).read_bytes() == package.read_bytes()
