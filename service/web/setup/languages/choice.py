"""Chooses the language of a page by the header `Accept-Language`."""

from __future__ import annotations

import re

from service.web.setup.languages.english import ENGLISH
from service.web.setup.languages.german import GERMAN
from service.web.setup.languages.texts import Texts

LANGUAGES = {texts.language: texts for texts in (ENGLISH, GERMAN)}
"""All languages. A new one is a module like those two, and its name here."""
MOST_RANGES, LONGEST = 20, 500
"""How much of the header is read: ranges, and characters."""

_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?\s*", re.ASCII
)


def choose_language(accepted: str | None) -> Texts:
    """Return the language that the reader likes best; English without any that is there."""
    best, found = 0.0, ENGLISH
    for each in (accepted or "")[:LONGEST].split(",")[:MOST_RANGES]:
        told = _RANGE.fullmatch(each)
        texts = LANGUAGES.get(told[1].lower()) if told is not None else None
        if told is not None and texts is not None and (weight := float(told[2] or 1)) > best:
            best, found = weight, texts
    return found
