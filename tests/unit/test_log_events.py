"""docs/log-events.md lists the log events of the code, all of them, with level, room and fields."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.command_line import ROOT

MODULES = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted((ROOT / "service").rglob("*.py"))]
LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
METHODS = LEVELS | {"log", "exception"}
ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \| ([a-z/]+) \| ([^|]*)\|", re.MULTILINE)


@dataclass(frozen=True)
class Logger:
    """What a logger adds to each of its calls."""

    fields: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()


LOGGERS = {
    "log": Logger(),
    "_log": Logger(frozenset({"call_server"})),
    "_warnings": Logger(frozenset({"call_server", "device"}), frozenset({"debug"})),
}
FORWARDING = "service/ami/limited_warnings.py"
"""The one module that logs events which others name."""


@dataclass
class Event:
    levels: set[str] = field(default_factory=set)
    rooms: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def test_the_table_of_log_events_is_the_code() -> None:
    text = (ROOT / "docs/log-events.md").read_text(encoding="utf-8")
    table = {
        name: Event(set(re.findall("|".join(LEVELS), levels)), {room}, set(re.findall(r"`(\w+)`", fields)))
        for name, levels, room, fields in ROW.findall(text)
    }
    assert table == _events()
    assert [*table] == sorted(table)


def test_every_log_call_names_its_event_and_its_fields_in_snake_case() -> None:
    for name, event in _events().items():
        assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", word) for word in (name, *event.fields)), (name, event)


def test_log_methods_are_called_where_they_are_named() -> None:
    """`say = log.info` or `getattr(log, level)` would hide an event from the table."""
    for path, tree in MODULES:
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in LEVELS:
                assert id(node) in called, f"{path}:{node.lineno}"
                assert _name(node.value) in LOGGERS, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and _name(node.func) == "getattr":
                assert _name(node.args[0]) not in LOGGERS, f"{path}:{node.lineno}"


@functools.cache
def _events() -> dict[str, Event]:
    events: dict[str, Event] = {}
    for path, tree in MODULES:
        for call, method, receiver, levels in _calls(tree):
            name = call.args[1 if method == "log" else 0]
            if not isinstance(name, ast.Constant) and str(path.relative_to(ROOT)) == FORWARDING:
                continue
            assert isinstance(name, ast.Constant), f"{path}:{call.lineno}"
            event = events.setdefault(str(name.value), Event())
            event.levels |= levels | LOGGERS[receiver].levels
            event.rooms.add(str(path.parent.relative_to(ROOT / "service")))
            event.fields |= LOGGERS[receiver].fields | {str(each.arg) for each in call.keywords} - {"exc_info"}
    return events


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str, set[str]]]:
    """Every log call of a module, with its method, the logger's name and the levels that it may have."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                    method, receiver = node.func.attr, _name(node.func.value)
                    if receiver in LOGGERS:
                        yield node, method, receiver, _levels(function, node.args[0]) if method == "log" else {method}


def _levels(function: ast.AST, level: ast.expr) -> set[str]:
    """The levels named by an argument, or by what is assigned to the variable that it is."""
    values = [level]
    if isinstance(level, ast.Name):
        assigned = (node for node in ast.walk(function) if isinstance(node, ast.Assign))
        values = [node.value for node in assigned if _name(node.targets[0]) == level.id]
    named = (node for value in values for node in ast.walk(value) if isinstance(node, ast.Attribute))
    return {node.attr.lower() for node in named if _name(node.value) == "logging"}


def _name(node: ast.expr) -> str:
    """`_log` of `self._log`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
