"""The rooms: imports point one way, and each driver has one room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.command_line import ROOT

FLOORS = [
    {"errors", "hosts", "model", "database_url", "name_table", "names"},
    {"settings", "credentials", "networks", "clock"},
    {"demo_data"},
    {"live", "logs", "loop", "garbage", "files", "signals"},
    {"asterisk", "store"},
    {"unknown_call_servers"},
    {"api", "keys", "board_feed", "link_feed"},
    {"app", "sockets", "lifeline"},
    {"listening"},
    {"serving"},
    {"workers"},
    {"cli"},
    {"__main__"},
]
"""A room may import from its own floor and from those before it here."""
APART = {("asterisk", "store"), ("store", "asterisk"), ("live", "logs"), ("logs", "live")}
MODULES = sorted((ROOT / "service").rglob("*.py"))


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "service"


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where they point"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "service" else {module}
    return found


def own_room(path: Path) -> str:
    parts = path.relative_to(ROOT / "service").with_suffix("").parts
    return parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    floors = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    here = own_room(path)
    if here == "__init__":
        assert imports(path) == set()
        return
    for module in imports(path):
        there = room(module)
        if not module.startswith("service.") or there in (here, "__version__"):
            continue
        assert floors[there] <= floors[here], f"{here} imports {module}"
        assert (here, there) not in APART, f"{here} imports {module}"


@pytest.mark.parametrize(("driver", "home"), [("panoramisk", "asterisk"), ("asyncpg", "store"), ("aiohttp", "api")])
def test_a_driver_has_one_room(driver: str, home: str) -> None:
    users = {own_room(path) for path in MODULES if any(name.split(".")[0] == driver for name in imports(path))}
    allowed = {home} | ({"app", "keys", "logs", "serving"} if driver == "aiohttp" else set())
    assert home in users
    assert users <= allowed


def test_what_is_known_now_never_waits() -> None:
    """`live` is synchronous: no clock, no socket, no task of its own."""
    for path in (ROOT / "service/live").glob("*.py"):
        waits = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Await | ast.AsyncFor)]
        assert not waits
        assert "asyncio" not in imports(path)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 260
