"""Fixtures for all tests; they live in `tests/support`."""

import signal

import pytest

# A shell's background job ignores SIGINT, and nohup SIGHUP; programs under test would inherit that.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

pytest.register_assert_rewrite("tests.support.seeds")

pytest_plugins = [
    "tests.support.database",
    "tests.support.pbx",
    "tests.support.secure_pbx",
    "tests.support.existing.pbx",
    "tests.support.fail2ban",
    "tests.support.prometheus",
    "tests.support.standby",
    "tests.support.linphone",
    "tests.support.links",
    "tests.support.nats",
    "tests.support.server",
    "tests.support.release_before",
    "tests.support.notifications",
    "tests.support.parallel",
]
