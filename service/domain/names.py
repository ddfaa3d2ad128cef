"""People's names and e-mails: when two are the same, and which can be given to somebody new.

`folded` is the key by which people are found: in memory, on the command line, and in PostgreSQL, whose function of the
same name has the same data. Neither `str.lower()` nor PostgreSQL's `lower()` would do: they differ from each other, and
the latter from locale to locale; see docs/decisions/0015.
"""

from __future__ import annotations

import re
import unicodedata

from service.domain.name_table import CAPITALS, DECOMPOSED, IGNORED, SMALL
from service.errors import Invalid

LONGEST_NAME, LONGEST_EMAIL = 200, 320
LONGEST = 2_000
"""Characters of the longest text that could be anybody's, however it is written: Python takes 0.8 s to normalize 64 KiB
of accents."""

_SMALL = str.maketrans(CAPITALS, SMALL)
_IGNORED = re.compile(f"[{IGNORED}]+")
_DECOMPOSED = re.compile(f"[{DECOMPOSED}]+")
_DOTTED_I = re.compile("i\u0307+")

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_JOINERS = "\u200c\u200d"
_NOT_IN_NAMES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159")
"""Letters, marks and symbols that show as nothing: fillers, the grapheme joiner, Braille's blank, a note without a
head, and Mongolian's fourth variation selector, which is newer than the data of `name_table`."""


def folded(text: str) -> str:
    """The key of a name or an e-mail: without regard to case, composition, joiners and the dots of i.

    Total: any text may come from outside. One that is too long to be anybody's, or of joiners only, is its own key.
    """
    if text.isascii():
        return text.lower()
    if len(text) > LONGEST:
        return text
    seen = _IGNORED.sub("", text)
    apart = _DECOMPOSED.sub(lambda run: unicodedata.normalize("NFD", run[0]), seen)
    return _DOTTED_I.sub("i", apart.translate(_SMALL)) or text


def composed(text: str) -> str:
    """Names and e-mails are stored in Unicode's composed form (NFC). Raises Invalid for what is too long for it."""
    if len(text) > LONGEST:
        raise Invalid(f"a name or an e-mail has at most {LONGEST_EMAIL} characters")
    return unicodedata.normalize("NFC", text)


def new_name(text: str) -> str:
    """A name as it is stored. No `@`: that is what tells an e-mail from a name. Raises Invalid for one that nobody may
    be given: two people's names must not look the same."""
    stored = composed(text)
    if not 1 <= len(stored) <= LONGEST_NAME:
        raise Invalid(f"a name has 1 to {LONGEST_NAME} characters")
    if "@" in stored:
        raise Invalid("a name has no '@'")
    _refuse_unseen("a name", stored)
    if stored != stored.strip() or "  " in stored:
        raise Invalid("a name neither begins nor ends with a space, nor has two in a row")
    return stored


def new_email(text: str | None) -> str | None:
    """An e-mail as it is stored; an empty one is none, as the original's own client has it. Raises Invalid."""
    if not text:
        return None
    stored = composed(text)
    if len(stored) > LONGEST_EMAIL or not _EMAIL.fullmatch(stored):
        raise Invalid(f"an e-mail is somebody@somewhere, at most {LONGEST_EMAIL} characters")
    _refuse_unseen("an e-mail", stored)
    return stored


def is_permitted(name: str, email: str | None) -> bool:
    """Whether somebody new may be called so. Those who are, from before there was a rule, stay who they are."""
    try:
        new_name(name)
        new_email(email)
    except Invalid:
        return False
    return True


def _refuse_unseen(what: str, text: str) -> None:
    for letter in text:
        if _is_unseen(letter):
            raise Invalid(f"{what} has no character that cannot be seen, such as U+{ord(letter):04X}")
    if not _IGNORED.sub("", text):
        raise Invalid(f"{what} consists of more than joiners")


def _is_unseen(letter: str) -> bool:
    """Control and format characters, all spaces but the plain one, and what Unicode has not assigned.

    Joiners and variation selectors are part of scripts, and tell nobody apart.
    """
    if letter in _JOINERS or letter == " ":
        return False
    return unicodedata.category(letter) in _NOT_IN_NAMES or letter.isspace() or letter in _UNSEEN
