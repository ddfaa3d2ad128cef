"""Finds SIP passwords that are easily guessed. Pure.

Guessers try numbers, names, common words, runs along an alphabet or a keyboard, and repetitions. So what counts is what
is left of a password without these. A random one loses next to nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

MIN_LENGTH = 12
MIN_DIFFERENT = 6
"""Different characters of a password, without regard to case."""
MIN_LEFT, MIN_LEFT_DIFFERENT = 8, 5
"""Characters that are left without what is easily guessed, and how many of them are different."""
MIN_DIGITS = 20
"""Length of a password of digits alone."""
MIN_RUN, MIN_NAME = 4, 3
"""Length of a run such as `4321` or `qwer`, and of a name that counts."""

_LEET = str.maketrans("01345789@$!|+", "oieastbgasiit")
_WORDS = """
    abc access admin administrator alpha asterisk autumn baseball batman bonjour cisco company conference default demo
    dragon elastix extension football freepbx geheim grandstream guest hallo hello iloveyou issabel kamailio kennwort
    letmein linux login master mikopbx monkey mypass nebenstelle office opensips pass passw passwd password passwort pbx
    phone polycom princess private public qwerty qwertz register root secret secure server shadow sip snom spring summer
    sunshine superman support switch sysadmin system telefon telephone test trixbox trustno unifi user voip voice
    welcome willkommen winter yealink
"""
_COMMON = re.compile("|".join(sorted((word.translate(_LEET) for word in _WORDS.split()), key=len, reverse=True)))
_YEAR = re.compile(r"(?:19|20)\d\d")
_ROWS = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "yxcvbnm", "zxcvbnm", "1qaz2wsx3edc4rfv")
_NEXT = {first + second for row in _ROWS for keys in (row, row[::-1]) for first, second in itertools.pairwise(keys)}


def find_weakness(secret: str, names: Iterable[str | None] = ()) -> str | None:
    """Return why a SIP password is easily guessed, without any part of it; None if it is not.

    `names` are of the extension, the endpoint and the person.
    """
    if len(secret) < MIN_LENGTH:
        return f"fewer than {MIN_LENGTH} characters"
    if len(secret) < MIN_DIGITS and secret.isdecimal():
        return f"digits only, and fewer than {MIN_DIGITS}"
    lower = "".join(letter.lower()[:1] for letter in secret)  # as long as the secret, whatever the script
    if len(set(lower)) < MIN_DIFFERENT:
        return f"fewer than {MIN_DIFFERENT} different characters"
    guessed, reasons = set[int](), []
    for reason, found in (
        ("its number or a name", _find_names(lower.translate(_LEET), names)),
        ("common words", (match.span() for match in _COMMON.finditer(lower.translate(_LEET)))),
        ("years", (match.span() for match in _YEAR.finditer(lower))),
        ("runs such as 1234 or qwer", _find_runs(lower)),
        ("repetitions", _find_repetition(lower)),
    ):
        positions = {position for start, end in found for position in range(start, end)}
        if positions - guessed:
            reasons.append(reason)
        guessed |= positions
    left = [letter for position, letter in enumerate(lower) if position not in guessed]
    if len(left) >= MIN_LEFT and len(set(left)) >= MIN_LEFT_DIFFERENT:
        return None
    return f"little more than {' and '.join(filter(None, (', '.join(reasons[:-1]), reasons[-1])))}"


def _find_names(folded: str, names: Iterable[str | None]) -> Iterator[tuple[int, int]]:
    """Find names, and the words in them."""
    words = {word for name in names if name for word in (name, *re.split(r"[\W_]+", name))}
    for word in {word.lower().translate(_LEET) for word in words if len(word) >= MIN_NAME}:
        yield from (match.span() for match in re.finditer(re.escape(word), folded))


def _find_runs(text: str) -> Iterator[tuple[int, int]]:
    """Find characters that follow each other in the alphabet, on the keyboard, or are the same."""
    for is_next in (_is_after, _is_before, _is_beside, str.__eq__):
        start = 0
        for end in range(1, len(text) + 1):
            if end == len(text) or not is_next(text[end - 1], text[end]):
                if end - start >= MIN_RUN:
                    yield start, end
                start = end


def _is_after(first: str, second: str) -> bool:
    return first.isalnum() and ord(second) == ord(first) + 1


def _is_before(first: str, second: str) -> bool:
    return first.isalnum() and ord(second) == ord(first) - 1


def _is_beside(first: str, second: str) -> bool:
    return first + second in _NEXT


def _find_repetition(text: str) -> Iterator[tuple[int, int]]:
    """Find all but the first part of a text that repeats one part."""
    for length in range(1, len(text) // 2 + 1):
        if text.startswith(text[length:]):
            yield length, len(text)
            return
