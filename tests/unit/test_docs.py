"""What the documentation says of the code is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.domain.permissions import ROLES, Permission
from service.web.routes import FAMILIES
from tests.support.existing.common import FILTERS
from tests.support.settings_table import README, written

PROJECT = README.parent
SOURCES = [
    path
    for folder in ("service", "tests", "local", "compose")
    for ending in ("py", "sql")
    for path in (PROJECT / folder).rglob(f"*.{ending}")
]
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("asterisk/*.md")]


def test_the_readme_lists_every_setting_as_it_is() -> None:
    text = README.read_text()
    assert text == written(text)
    assert "CONNECTOR_HTTP_PORT" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_to_a_heading_leads_to_it(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text())
    assert [
        f"{name}#{anchor}" for name, anchor in links if anchor not in anchors(page.parent / name if name else page)
    ] == []


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings are linked to."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE) if page.suffix == ".md" else []
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    """A file may be named by the end of its path, `web/routes.py`; `NNNN_name.sql` is any migration."""
    named = set(re.findall(r"(?<![\w/.-])(?:[\w.-]+/)*[\w-]+\.(?:py|sql)\b", page.read_text()))
    assert [name for name in sorted(named) if not name.endswith("NNNN_name.sql") and not _is_file(name)] == []


def test_the_modules_and_the_tests_that_the_architecture_names_exist() -> None:
    text = (PROJECT / "docs/architecture.md").read_text()
    rooms = re.findall(r"^\| `([a-z/]+/)` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    named = [f"service/{room}{module}" for room, modules in rooms for module in re.findall(r"`(\w+)`", modules)]
    named += [f"tests/integration/{test}" for test in re.findall(r"`([a-z]+/test_\w+)`", text)]
    assert len(rooms) > 10
    assert [name for name in named if not (PROJECT / f"{name}.py").exists() and not (PROJECT / name).is_dir()] == []


def test_each_line_of_the_tables_of_thieves_has_tests_behind_it() -> None:
    text = (PROJECT / "docs/security.md").read_text()
    section = text.partition("## Who can do what")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert len(lines) > 15
    assert [line for line in lines if not re.search(r"`[a-z0-9_]+/[a-z0-9_/]+\.py` \|$", line)] == []
    named = set(re.findall(r"`((?:unit|integration|e2e|compose)/[a-z0-9_/]+\.py)`", text))
    assert [name for name in sorted(named) if not (PROJECT / "tests" / name).is_file()] == []
    ours = {f"integration/security/{path.name}" for path in (PROJECT / "tests/integration/security").glob("test_*.py")}
    assert ours - named == set()


def test_the_classes_that_the_glossary_names_exist() -> None:
    text = (PROJECT / "docs/glossary.md").read_text()
    defined = {name for path in SOURCES for name in re.findall(r"^(?:class )?(\w+)\b", path.read_text(), re.MULTILINE)}
    named = re.findall(r"\(`(\w+)`\) \|$", text, re.MULTILINE)
    assert len(named) > 10
    assert [name for name in named if name not in defined] == []


def test_pages_and_configuration_name_the_same_event_filters() -> None:
    """An account of an existing Asterisk without one of these lines misses an event."""
    needed = _event_filters("asterisk/etc/manager.conf")
    assert len(needed) > 5
    assert _event_filters("docs/existing-pbx.md") == needed
    assert re.findall(r"^(eventfilter = .*)$", FILTERS, re.MULTILINE) == needed


def _event_filters(file: str) -> list[str]:
    return re.findall(r"^ *(eventfilter = .*)$", (PROJECT / file).read_text(), re.MULTILINE)


def _is_file(name: str) -> bool:
    return any(f"/{path.relative_to(PROJECT)}".endswith(f"/{name}") for path in SOURCES)


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
