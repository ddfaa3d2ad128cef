"""The service uses public names of aiohttp only."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator

import pytest
from aiohttp import web

import service


def classes() -> Iterator[type]:
    """The service's classes that derive from one of aiohttp's."""
    for module in pkgutil.walk_packages(service.__path__, "service."):
        if not module.name.endswith("__main__"):
            for found in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(found) and found.__module__ == module.name and any(map(is_aiohttps, found.__mro__)):
                    yield found


def is_aiohttps(one: type) -> bool:
    return one.__module__.partition(".")[0] == "aiohttp"


def private_names_of(one: type) -> set[str]:
    """The private names that a class's source mentions as attributes, methods or slots."""
    found = set[str]()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(one)))):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # of a slot, or for getattr
            found.add(node.value)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def aiohttps_names_in(one: type) -> set[str]:
    """What a class uses, or replaces, of the private names of the aiohttp classes that it derives from."""
    return private_names_of(one) & set[str]().union(*map(private_names_of, filter(is_aiohttps, one.__mro__)))


@pytest.mark.parametrize("one", list(classes()), ids=lambda one: one.__name__)
def test_a_class_uses_no_private_name_of_aiohttp(one: type) -> None:
    """What is not a class of the service's own is reached by public names only: ruff's SLF001 sees to that."""
    assert aiohttps_names_in(one) == set()


def test_the_check_sees_a_name_that_is_used_and_one_that_is_replaced() -> None:
    class Careless(web.RequestHandler):
        __slots__ = ("_cache", "_own")

        def idle(self) -> bool:
            self._own = 1
            return self._keepalive

        def _process_keepalive(self) -> None: ...

    assert aiohttps_names_in(Careless) == {"_cache", "_keepalive", "_process_keepalive"}
