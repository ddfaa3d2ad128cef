"""What the documentation shows, to be run as it stands there."""

from __future__ import annotations

import re

from tests.support.command_line import ROOT

BASE = "http://127.0.0.1:8080"
"""Where the service is, in all that is shown."""


def blocks(document: str, language: str = "sh", heading: str = "") -> list[str]:
    """The document's code blocks of one language, those in lists too; of one section, if its `heading` is given."""
    text = (ROOT / document).read_text()
    if heading:
        (text,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]
