"""Which processes there are, as /proc tells."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def below(pid: int) -> dict[int, str]:
    """All descendants of a process with their command lines."""
    parents = dict(_parents())
    found: dict[int, str] = {}
    queue = [pid]
    while queue:
        parent = queue.pop()
        children = [child for child, its_parent in parents.items() if its_parent == parent]
        found |= {child: _text(child, "cmdline") for child in children}
        queue += children
    return found


def alive(pids: dict[int, str]) -> dict[int, str]:
    """Those that have not ended; a number that was given to another program meanwhile is no survivor."""
    return {pid: line for pid, line in pids.items() if line and _text(pid, "cmdline") == line}


def mentioning(folder: Path) -> dict[int, str]:
    """All whose command line or environment names a folder."""
    numbers = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return {
        pid: _text(pid, "cmdline") for pid in numbers if str(folder) in _text(pid, "cmdline") + _text(pid, "environ")
    }


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*"):
        if stat := _text(int(path.name), "stat"):
            yield int(path.name), int(stat.rpartition(")")[2].split()[1])


def _text(pid: int, file: str) -> str:
    """Empty when the process is gone, or not ours to read."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{file}").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return ""
