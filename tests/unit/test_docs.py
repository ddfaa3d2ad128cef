"""What the documentation says of the code is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.domain.permissions import ROLES, Permission
from service.web.routes import FAMILIES
from tests.support.settings_table import README, written

PROJECT = README.parent
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("asterisk/*.md")]


def test_the_readme_lists_every_setting_as_it_is() -> None:
    text = README.read_text()
    assert text == written(text)
    assert "CONNECTOR_HTTP_PORT" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_table_of_who_may_do_what_is_the_code() -> None:
    text = (PROJECT / "docs/operations.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| [a-z, -]+ \| ([a-z, ]+) \| (.*)\|$", text, re.MULTILINE)
    told = {name: (set(roles.split(", ")), set(re.findall(r"([A-Z]+) `(.*?)`", calls))) for name, roles, calls in rows}
    assert told == {
        permission.value: (
            {role.value for role in ROLES[permission]},
            {
                (each.method, each.path.removeprefix("/api/v1/"))
                for family in FAMILIES.values()
                for each in family
                if each.permission is permission
            },
        )
        for permission in Permission
    }
