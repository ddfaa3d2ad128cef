"""Users' names and e-mails: which are equal, and which are permitted for new users.

`folded` is the key by which users are found: in memory, on the command line, and in PostgreSQL, whose function of the
same name uses the same data. `str.lower()` and PostgreSQL's `lower()` do not suffice: they differ from each other, and
the latter also between locales; see docs/decisions/0015.
"""

from __future__ import annotations

import re
import unicodedata

from service.domain.folding_table import CAPITALS, DECOMPOSED, IGNORED, SMALL
from service.errors import Invalid

MAX_NAME_LENGTH, MAX_EMAIL_LENGTH = 200, 320
MAX_LENGTH = 2_000
"""Maximum length of a text that is normalised, in characters. Any permitted name is shorter in every Unicode form.
Python takes 0.8 s to normalise 64 KiB of accents."""

_SMALL = str.maketrans(CAPITALS, SMALL)
_IGNORED = re.compile(f"[{IGNORED}]+")
_DECOMPOSED = re.compile(f"[{DECOMPOSED}]+")
_DOTTED_I = re.compile("i\u0307+")

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_JOINERS = "\u200c\u200d"
_NOT_IN_NAMES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180f\u2800\u3164\uffa0\U00016fe4\U0001d159")
"""Invisible letters, marks and symbols: fillers, the grapheme joiner, the blank Braille pattern, the null notehead, and
Mongolian's fourth variation selector, which is newer than the data of `folding_table`."""


def folded(text: str) -> str:
    """Return the key of a name or e-mail, which ignores case, composition, joiners and the dots of i.

    Accepts any string, as clients may send any. A text above MAX_LENGTH, or of joiners only, is its own key.
    """
    if text.isascii():
        return text.lower()
    if len(text) > MAX_LENGTH:
        return text
    visible = _IGNORED.sub("", text)
    decomposed = _DECOMPOSED.sub(lambda run: unicodedata.normalize("NFD", run[0]), visible)
    return _DOTTED_I.sub("i", decomposed.translate(_SMALL)) or text


def composed(text: str) -> str:
    """Return the composed form (NFC), in which names and e-mails are stored. Raises Invalid above MAX_LENGTH."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"a name or an e-mail has at most {MAX_EMAIL_LENGTH} characters")
    return unicodedata.normalize("NFC", text)


def new_name(text: str) -> str:
    """Return a new name in its stored form. Raises Invalid if it is not permitted.

    No two names may look the same. An `@` distinguishes an e-mail from a name.
    """
    stored = composed(text)
    if not 1 <= len(stored) <= MAX_NAME_LENGTH:
        raise Invalid(f"a name has 1 to {MAX_NAME_LENGTH} characters")
    if "@" in stored:
        raise Invalid("a name has no '@'")
    _refuse_invisible("a name", stored)
    if stored != stored.strip() or "  " in stored:
        raise Invalid("a name neither begins nor ends with a space, nor has two in a row")
    return stored


def new_email(text: str | None) -> str | None:
    """Return a new e-mail in its stored form; an empty one means none, as in the original's client. Raises Invalid."""
    if not text:
        return None
    stored = composed(text)
    if len(stored) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(stored):
        raise Invalid(f"an e-mail is somebody@somewhere, at most {MAX_EMAIL_LENGTH} characters")
    _refuse_invisible("an e-mail", stored)
    return stored


def is_permitted(name: str, email: str | None) -> bool:
    """Return whether a new user may have this name and e-mail. Existing users keep theirs."""
    try:
        new_name(name)
        new_email(email)
    except Invalid:
        return False
    return True


def _refuse_invisible(what: str, text: str) -> None:
    for letter in text:
        if _is_invisible(letter):
            raise Invalid(f"{what} has no character that cannot be seen, such as U+{ord(letter):04X}")
    if not _IGNORED.sub("", text):
        raise Invalid(f"{what} consists of more than joiners")


def _is_invisible(letter: str) -> bool:
    """Return whether it is a control or format character, a space other than U+0020, or unassigned.

    Joiners and variation selectors are permitted: scripts need them, and `folded` ignores them.
    """
    if letter in _JOINERS or letter == " ":
        return False
    return unicodedata.category(letter) in _NOT_IN_NAMES or letter.isspace() or letter in _INVISIBLE
