"""pyproject.toml allows the versions that are tested: those of requirements.lock and of requirements-lowest.lock."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
REQUIREMENTS = [Requirement(text) for text in [*PROJECT["dependencies"], *OPTIONAL]]


def locked(name: str) -> dict[str, Version]:
    """The versions that a lock file names."""
    found = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {package: Version(version) for package, version in found}


NEWEST, LOWEST = locked("requirements.lock"), locked("requirements-lowest.lock")


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_a_range_begins_with_the_lowest_version_tested_and_ends_behind_the_newest(requirement: Requirement) -> None:
    lowest, newest = LOWEST[requirement.name], NEWEST[requirement.name]
    bounds = {each.operator: Version(each.version) for each in requirement.specifier}
    if set(bounds) == {"=="}:
        assert lowest == newest == bounds["=="]
    else:
        assert bounds == {">=": lowest, "<": Version(f"{newest.major}.{newest.minor + 1}")}


def test_the_development_lock_names_the_same_versions_as_the_runtime_lock() -> None:
    development = locked("requirements-dev.lock")
    assert {name: development[name] for name in NEWEST} == NEWEST


def imported(folder: Path) -> Iterator[str]:
    """Top-level names of what the modules below a folder import."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_whatever_the_service_imports_is_a_dependency_with_a_range_of_its_own() -> None:
    distributions = packages_distributions()
    foreign = set(imported(ROOT / "service")) - {"service", *sys.stdlib_module_names}
    used = {canonicalize_name(distributions[name][0]) for name in foreign}
    assert used == {requirement.name for requirement in REQUIREMENTS}
