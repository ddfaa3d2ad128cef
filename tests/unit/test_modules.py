"""Modules: what import-linter's contracts cannot say of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.command_line import ROOT

MODULES = sorted((ROOT / "service").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 260


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_absolute(path: Path) -> None:
    """A relative import hides where it points."""
    assert not [node for node in ast.walk(_tree(path)) if isinstance(node, ast.ImportFrom) and node.level]


def test_the_domain_never_waits() -> None:
    """`service.domain` is synchronous, so whatever it does happens in one turn of the loop."""
    waits = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.AsyncFunctionDef
    paths = [*(ROOT / "service/domain").rglob("*.py")]
    assert paths
    for path in paths:
        assert not [node for node in ast.walk(_tree(path)) if isinstance(node, waits)], path


READING = {"query", "query_string", "raw_query_string", "match_info"} | {"json", "post", "multipart", "text", "read"}
"""Attributes of a request that hold input."""
READERS = ("service/web/http/params.py", "service/web/http/body.py", "service/web/server/")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_input_is_read_by_decoders_only(path: Path) -> None:
    """So the description, which is made of decoders, knows of all of it."""
    if not str(path.relative_to(ROOT)).startswith(READERS):
        found = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Attribute) and node.attr in READING]
        assert not [ast.unparse(node) for node in found if ast.unparse(node.value).startswith("request")]


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
