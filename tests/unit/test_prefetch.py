"""What is downloaded before tests run in several processes."""

from __future__ import annotations

import pytest

from tests.support.command_line import ROOT
from tests.support.prefetch import SUITES, suites_of


@pytest.mark.parametrize(
    ("arguments", "suites"),
    [
        (["tests/unit"], {"unit"}),
        (["tests/unit", "tests/e2e"], {"unit", "e2e"}),
        (["tests/integration/db/test_roles.py::test_x[a]"], {"integration"}),
        ([str(ROOT / "tests/clients")], {"clients"}),
        (["tests"], set(SUITES)),
    ],
)
def test_the_suites_are_those_that_the_arguments_name(arguments: list[str], suites: set[str]) -> None:
    assert suites_of(arguments) == suites


def test_every_folder_with_tests_is_a_suite() -> None:
    """But the simulation, which has an environment of its own and needs no program."""
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert folders - {"simulation"} == set(SUITES)
