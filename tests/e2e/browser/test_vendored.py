"""JsSIP as it is served is what the lock file names, and its licences are with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from local import vendor


async def test_the_committed_bundle_is_what_the_lock_file_makes(tmp_path: Path) -> None:
    await asyncio.to_thread(vendor.build, tmp_path)
    for name in (vendor.BUNDLE, vendor.LICENCES):
        assert (tmp_path / name).read_bytes() == (vendor.TARGET / name).read_bytes(), f"run make vendor: {name}"


def test_the_licence_of_each_bundled_package_is_there() -> None:
    text = (vendor.TARGET / vendor.LICENCES).read_text(encoding="utf-8")
    for name in ("jssip", "sdp-transform", "events", "debug", "ms"):
        assert f"{name} " in text
    assert text.count("Permission is hereby granted, free of charge") == 5
