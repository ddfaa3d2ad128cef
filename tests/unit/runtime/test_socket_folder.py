"""Where the sockets of a collector are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from service.errors import ConfigurationError
from service.runtime import socket_folder


def test_a_container_without_a_writable_tmp_has_its_folder_in_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = tempfile.TemporaryDirectory

    def read_only(**where: Any) -> tempfile.TemporaryDirectory[str]:
        if where["dir"] != str(tmp_path):
            raise FileNotFoundError("No usable temporary directory found")
        return made(**where)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", read_only)
    monkeypatch.setattr(socket_folder, "SHARED_MEMORY", str(tmp_path))
    with socket_folder.socket_folder() as folder:
        assert (Path(folder).parent, Path(folder).stat().st_mode & 0o777) == (tmp_path, 0o700)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(socket_folder, "SHARED_MEMORY", "/nowhere")
    with pytest.raises(ConfigurationError, match=r"make .* writable"), socket_folder.socket_folder():
        pass
