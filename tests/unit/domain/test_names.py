"""When two names are the same, and which nobody may be given."""

# ruff: noqa: RUF001
from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.folding_table import CAPITALS, SMALL
from service.domain.user_names import MAX_LENGTH, composed, folded, new_email, new_name
from service.errors import Invalid

MARKS = "\u0301\u0307\u0323\u0327\u0345\u3099\u05b0\u1160\u11a8"
TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("iIİıjσςΣßẞſKÅ" + MARKS)), max_size=40
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ADA", "ada"),
        ("ΣΟΦΟΣ", "σοφος"),
        ("ΣΟΦΟΣ", "σοφοσ"),
        ("Zoe\u0308", "ZOË"),
        ("İbrahim", "ibrahim"),
        ("IŞIK", "ışık"),
        ("KAYI", "kayı"),
        ("i\u0307stanbul", "İSTANBUL"),
        ("STRAẞE", "straße"),
        ("\u212aelvin", "kelvin"),
        ("\u212bngström", "ångström"),
        ("ᏣᎳᎩ", "ꮳꮃꭹ"),
        ("ᾼδης", "ᾳδησ"),
        ("Ω\u0345", "ωι"),
        ("각", "\u1100\u1161\u11a8"),
        ("नम\u200dस्ते", "नमस्ते"),
        ("葛\U000e0100", "葛"),
        ("ǅ", "ǆ"),
        ("a\u0323\u0301", "ạ́"),
        ("ᲐᲜᲐ", "ანა"),
    ],
)
def test_the_same_name_has_one_key(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Strauß", "Strauss"),
        ("żak", "zak"),
        ("İ", "l"),
        ("admin\u200b", "admin"),
        ("ﬁ", "fi"),
        ("Ａda", "Ada"),
        ("а", "a"),
    ],
)
def test_other_names_have_another(one: str, other: str) -> None:
    assert folded(one) != folded(other)


@given(TEXTS)
def test_a_key_is_its_own_key_and_that_of_every_form_of_the_name(text: str) -> None:
    key = folded(text)
    assert folded(key) == key
    for form in ("NFC", "NFD"):
        known = "".join(letter for letter in text if _in_every_python(letter))
        assert folded(unicodedata.normalize(form, known)) == folded(known)


def _in_every_python(letter: str) -> bool:
    """Whether it was assigned long ago: what is newer than the data is not normalized."""
    return unicodedata.ucd_3_2_0.category(letter) != "Cn"


def test_the_data_is_unicodes_simple_case_folding_and_one_dotless_i() -> None:
    assert len(CAPITALS) == len(SMALL) == len(set(CAPITALS))
    table = dict(zip(CAPITALS, SMALL, strict=True))
    assert (table.pop("ı"), table.pop("ẞ")) == ("i", "ß")
    assert {capital: capital.casefold() for capital in table} == table
    left = {
        letter
        for letter in map(chr, range(0x110000))
        if not "\ud800" <= letter <= "\udfff"
        and _in_every_python(letter)
        and unicodedata.normalize("NFD", letter) == letter != letter.casefold()
        and len(letter.casefold()) == 1
    }
    assert left <= table.keys()


def test_what_is_too_long_to_be_anybodys_costs_nothing() -> None:
    """Python takes 0.8 s to normalize it, and a login needs no token."""
    long = "a" + "\u0301\u0323" * 16_000
    begun = time.process_time()
    assert folded(long) == long
    with pytest.raises(Invalid):
        composed(long)
    assert time.process_time() - begun < 0.1
    assert folded("É" * MAX_LENGTH) == "e\u0301" * MAX_LENGTH


@pytest.mark.parametrize(
    "name", ["Grace Hopper", "Zoë", "山田", "نامه\u200cای", "क\u094d\u200dष", "❤\ufe0f", "O'Brien", "x" * 200]
)
def test_names_of_every_script_are_accepted(name: str) -> None:
    assert new_name(name) == name


def test_a_name_is_stored_composed() -> None:
    assert (new_name("Zoe\u0308"), new_email("zoe\u0308@example.com")) == ("Zoë", "zoë@example.com")


UNSEEN = (
    "\u200b", "\u202e", "\u2066", "\ufeff", "\u00ad", "\u2060", "\u061c", "\u180e", "\U000e0041", "\u034f", "\u3164",
    "\u115f", "\u2800", "\ufff9", "\u0000", "\u007f", "\u0085", "\u009b", "\u2028", "\u2029", "\u00a0", "\u3000",
    "\u2003", "\t", "\ud800", "\ue000", "\uffff", "\U000e0fff", "\u180f", "\U00016fe4", "\U0001d159",
)  # fmt: skip


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
@pytest.mark.parametrize("name", ["admin{}", "{}admin", "ad{}min"])
def test_what_cannot_be_seen_is_in_no_new_name(name: str, unseen: str) -> None:
    with pytest.raises(Invalid):
        new_name(name.format(unseen))
    with pytest.raises(Invalid):
        new_email(name.format(unseen) + "@example.com")


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "a  b", "\u200d", "\u200c\ufe0f", "a@b", "x" * 201, "\u0301" * 65_536]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        new_name(name)
