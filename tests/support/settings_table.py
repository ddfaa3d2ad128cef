"""The settings as a Markdown table, for the README: `python -m tests.support.settings_table` writes it there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from service.settings import PREFIX, CallServer, Settings

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"(<!-- settings: .*? -->\n).*?(<!-- /settings -->)", re.DOTALL)


def table() -> str:
    """All settings, from the fields that read them."""
    head = "| variable | default | description |\n| --- | --- | --- |\n"
    servers = f"{PREFIX}CALL_SERVERS__<NAME>__"
    own = "".join(_rows(Settings, PREFIX, {"call_servers"}))
    told = "\nOne group of settings per Asterisk. `<NAME>` is a name of your choice:\n\n"
    return f"{head}{own}{told}{head}{''.join(_rows(CallServer, servers, set()))}"


def written(text: str) -> str:
    """The README with the table as it should be."""
    return BLOCK.sub(lambda found: f"{found[1]}{table()}{found[2]}", text)


def _rows(model: type[BaseModel], prefix: str, without: set[str]) -> list[str]:
    return [
        f"| `{prefix}{name.upper()}` | {_default(field)} | {field.description} |\n"
        for name, field in model.model_fields.items()
        if name not in without and not name.endswith(("password_file", "secret_file"))
    ]


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
