"""The languages of the pages for people: each says everything, and the reader's choice is followed."""

from __future__ import annotations

import dataclasses
import re
import string
from pathlib import Path

import pytest

from service.domain.phone_kinds import PHONE_KINDS, SetUp
from service.domain.provisioning.typed_account import Field
from service.web.setup import page
from service.web.setup.languages.choice import LANGUAGES, MOST_RANGES, choose_language
from service.web.setup.languages.texts import KindTexts, Texts

NAMES = [each.name for each in dataclasses.fields(Texts)]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("de", "de"),
        ("de-AT, en;q=0.9", "de"),
        ("en-GB,en;q=0.8,de;q=0.9", "en"),
        ("en;q=0.5, DE;q=0.8", "de"),
        ("fr, de;q=0.3, en;q=0.2", "de"),
        ("de;q=0, en;q=0.1", "en"),
        ("de;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("deutsch", "en"),
        ("de;q=high", "en"),
        ("de;q=1.5", "en"),
        ("d\u00e9, de", "de"),
        (" de ; q = 0.7 , en ; q = 0.7", "de"),
        (",;=,de", "de"),
        ("x, " * MOST_RANGES + "de", "en"),
        ("x" * 10_000 + ", de", "en"),
    ],
)
def test_the_language_is_the_one_that_the_reader_likes_best(accepted: str | None, language: str) -> None:
    assert choose_language(accepted).language == language


def test_each_language_knows_each_kind_and_field_and_no_other() -> None:
    kinds = {kind.name for kind in PHONE_KINDS.values() if kind.set_up is not None}
    buttons = {kind.name for kind in PHONE_KINDS.values() if kind.set_up not in (None, SetUp.FETCHES)}
    for texts in LANGUAGES.values():
        assert texts.kinds.keys() == kinds
        assert {name for name, told in texts.kinds.items() if told.button} == buttons
        assert texts.fields.keys() == set(Field)


def test_each_language_says_everything_in_words_of_its_own() -> None:
    english, german = (flat(LANGUAGES[name]) for name in ("en", "de"))
    assert english.keys() == german.keys()
    for name in english:
        assert english[name].strip() == english[name] != ""
        assert placeholders(english[name]) == placeholders(german[name]), name
    equal = {name for name in english if english[name] == german[name]}
    assert equal == {f"fields.{Field.TRANSPORT}"}


@pytest.mark.parametrize("name", NAMES)
def test_each_text_is_on_a_page(name: str) -> None:
    source = "".join(path.read_text() for path in Path(page.__file__).parent.glob("*.py"))
    assert re.search(rf"\btexts\.{name}\b", source)


def flat(texts: Texts) -> dict[str, str]:
    """All texts, by a name."""
    found: dict[str, str] = {}

    def add(name: str, value: object) -> None:
        if isinstance(value, str):
            found.update({name: value} if value else {})
        elif isinstance(value, KindTexts):
            for each in dataclasses.fields(value):
                add(f"{name}.{each.name}", getattr(value, each.name))
        elif isinstance(value, tuple):
            for number, item in enumerate(value):
                add(f"{name}.{number}", item)
        else:
            assert isinstance(value, dict)
            for key, item in value.items():
                add(f"{name}.{key}", item)

    for name in NAMES:
        add(name, getattr(texts, name))
    return found


def placeholders(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}
