"""Named SQL statements, one file per subject. Each statement begins with a line `-- name: <name>`."""

import re
from pathlib import Path

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(subject: str) -> dict[str, str]:
    """Load `<subject>.sql`; maps name to statement."""
    text = (Path(__file__).parent / f"{subject}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))
