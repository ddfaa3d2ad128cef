"""Which secrets stand in what a run printed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from local import demo_data
from service.cli.demo import LOGINS, SIP_PASSWORD
from tests.e2e.run import Run


def leaks(run: Run, printed: str, more: Mapping[str, str] | None = None) -> list[str]:
    """The names of secrets that are printed; `more` are those that only a test knows.

    The demo's passwords are shown once, in a table, and its public token in the lines that one is to try.
    """
    for name, password in LOGINS:
        printed = re.sub(rf"^service  \| {name} +{re.escape(password)}$", "", printed, count=1, flags=re.MULTILINE)
    printed = re.sub(r"^  curl .*$", "", printed, flags=re.MULTILINE)
    known = {
        **run.secrets(),
        **{f"password of {name}": password for name, password in LOGINS},
        "SIP password": SIP_PASSWORD,
        "demo token": demo_data.ADMIN_TOKEN,
        **(more or {}),
    }
    assert all(known.values())
    return [name for name, secret in known.items() if secret in printed]
