"""What the documentation shows, to be run as it stands there."""

from __future__ import annotations

import re

from tests.e2e.program import ROOT

BASE = "http://127.0.0.1:8080"
"""Where the service is, in all that is shown."""


def blocks(document: str, language: str = "sh") -> list[str]:
    """The document's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
