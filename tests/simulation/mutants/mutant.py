"""What a mutant is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent


@dataclass(frozen=True)
class Mutant:
    """A change of the product."""

    name: str
    file: str
    before: str
    after: str
    profile: str
    seeds: tuple[int, ...] = tuple(range(20))
    """Seeds, one of which must fail; the first that does ends the search."""

    @property
    def module(self) -> str:
        """The module that is changed."""
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def source(self) -> str:
        """The changed source. Raises ValueError if the place is not there once."""
        text = (ROOT / self.file).read_text()
        if text.count(self.before) != 1:
            raise ValueError(f"{self.file} has the place of {self.name!r} {text.count(self.before)} times")
        return text.replace(self.before, self.after)
