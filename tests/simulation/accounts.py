"""The accounts of the model's AMI, and what each may do."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

SECRET = "test-only-secret"
RECORDED = Path(__file__).parent / "recorded/session.json"
PERMITTED = {
    "monitor": {
        "ping", "listcommands", "corestatus", "getvar", "pjsipqualify", "devicestatelist", "extensionstatelist",
        "presencestatelist", "dbgettree", "queuestatus",
    },
    "presence": {"ping", "listcommands", "setvar", "getvar", "queuestatus"},
    "sync": {"ping", "listcommands", "command", "queuestatus"},
}  # fmt: skip
"""Of the actions that the model knows."""
KNOWN = set().union(*PERMITTED.values()) | {"originate", "reload"}


@cache
def commands(account: str) -> tuple[tuple[str, str], ...]:
    """The answer to `ListCommands`, as a real Asterisk wrote it."""
    for step in json.loads(RECORDED.read_text()):
        if step["step"] == ["as", account, "ListCommands"]:
            return tuple((name, value) for name, value in step["messages"][0] if name != "Response")
    raise KeyError(account)
