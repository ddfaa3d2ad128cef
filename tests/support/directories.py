"""A directory that holds what a test wants, read as of one moment."""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.directory import Directory
from service.domain.directory_tables import Token
from service.domain.models import Extension, Person


def fill(
    directory: Directory,
    people: Iterable[Person] = (),
    tokens: Iterable[tuple[bytes, Token]] = (),
    extensions: Iterable[Extension] = (),
) -> frozenset[str]:
    """Everything is this now. Returns what `replace` does."""
    rereading = directory.begin_reread()
    rereading.add_people(people)
    rereading.add_tokens(tokens)
    rereading.add_extensions(extensions)
    directory.end_reread(rereading)
    return frozenset(rereading.affected)
