"""Fixtures for all tests; they live in `tests/support`."""

import pytest

pytest.register_assert_rewrite("tests.support.seeds")

pytest_plugins = [
    "tests.support.database",
    "tests.support.pbx",
    "tests.support.standby",
    "tests.support.links",
    "tests.support.server",
    "tests.support.release_before",
    "tests.support.parallel",
]
