"""Reading everything anew beside what is answered, with hints followed meanwhile: it ends with what PostgreSQL has."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.directory import Directory
from service.domain.directory_tables import DirectoryReread, Token
from service.domain.models import Extension, Person, Role
from tests.support.stored import stored_extension

IDS, NUMBERS = (1, 2), ("101", "102")
CHANGES = st.one_of(
    st.tuples(st.just("person"), st.sampled_from(IDS), st.sampled_from([None, "a", "b", "c"])),
    st.tuples(st.just("token"), st.sampled_from(IDS), st.booleans()),
    st.tuples(st.just("extension"), st.sampled_from(NUMBERS), st.sampled_from([None, "nobody's", *IDS])),
)
WORKS = st.sampled_from(["begin", "slice", "end", "hint", "hints"])
STEPS = st.lists(st.one_of(CHANGES, WORKS), min_size=10, max_size=40)


class Rows:
    """What PostgreSQL holds, its hints on their way, and the directory that follows it."""

    def __init__(self) -> None:
        self.people: dict[int, Person] = {}
        self.tokens: dict[bytes, Token] = {}
        self.extensions: dict[str, Extension] = {}
        self.directory = Directory(lambda: 0.0, lambda: 0.0)
        self.directory.confirm(0.0)
        self.hints: list[tuple[str, Any]] = []
        self.rereading: DirectoryReread | None = None
        self.slices: list[tuple[str, Any]] = []
        self.shown: dict[str, tuple[object, ...]] = {}
        """What was last composed of each extension, by whoever is only told which are concerned."""

    def change(self, kind: str, key: Any, value: Any) -> None:
        """A transaction, and its hint."""
        if kind == "person" and value is None:
            self.people.pop(key, None)
            self.tokens.pop(bytes([key]) * 32, None)
            for number, extension in list(self.extensions.items()):
                if extension.user_id == key:
                    self.extensions[number] = stored_extension(number)
                    self.hints.append(("extension", number))
            self.hints.append(("token", bytes([key]) * 32))
        elif kind == "person":
            names = {person.name for other, person in self.people.items() if other != key}
            if value not in names:
                self.people[key] = Person(key, f"u{key}", value, Role.AGENT, True, value, None, False)
        elif kind == "token":
            token_hash = bytes([key]) * 32
            if value and key in self.people:
                self.tokens[token_hash] = Token(key, 1e9)
            else:
                self.tokens.pop(token_hash, None)
            key = token_hash
        elif value is None:
            self.extensions.pop(key, None)
        else:
            holder = value if value in self.people else None
            if holder is None or all(held.user_id != holder for held in self.extensions.values()):
                self.extensions[key] = stored_extension(key, user_id=holder)
        self.hints.append((kind, key))

    def follow_one(self) -> None:
        """The oldest hint arrives, and its row is read."""
        if not self.hints:
            return
        kind, key = self.hints.pop(0)
        directory = self.directory
        if kind == "person":
            directory.put_person(key, self.people.get(key))
            held = directory.number_of(key)
            self.told(frozenset({held} if held else ()))
        elif kind == "token":
            directory.put_token(key, self.tokens.get(key))
        else:
            directory.put_extension(key, self.extensions.get(key))
            self.told(frozenset({key}))

    def begin(self) -> None:
        """Everything begins to be read, as of now."""
        self.rereading = self.directory.begin_reread()
        rows = (("people", self.people), ("tokens", self.tokens), ("extensions", self.extensions))
        self.slices = [(kind, row) for kind, table in rows for row in table.items()]

    def slice(self) -> None:
        if self.rereading is None or not self.slices:
            return
        kind, (key, row) = self.slices.pop(0)
        if kind == "people":
            self.rereading.add_people([row])
        elif kind == "tokens":
            self.rereading.add_tokens([(key, row)])
        else:
            self.rereading.add_extensions([row])

    def end(self) -> None:
        if self.rereading is not None:
            while self.slices:
                self.slice()
            before = self.directory.end_reread(self.rereading)
            self.told(frozenset(self.rereading.affected))
            while before.discard_batch(3):
                pass
            assert not any((before.people, before.tokens, before.extensions, before.number_by_user))
            self.rereading = None

    def told(self, concerned: frozenset[str]) -> None:
        for number in concerned:
            self.shown[number] = self.composed(number)

    def composed(self, number: str) -> tuple[object, ...]:
        extension = self.directory.extension(number)
        return (extension, self.directory.extension_holder(extension) if extension else None)

    def check(self) -> None:
        """All that anybody can ask is what PostgreSQL holds."""
        directory = self.directory
        assert directory.counts() == {
            "people": len(self.people), "tokens": len(self.tokens), "extensions": len(self.extensions)
        }  # fmt: skip
        for user_id in IDS:
            person = self.people.get(user_id)
            assert directory.person_by_uid(f"u{user_id}") == person
            token_hash = bytes([user_id]) * 32
            assert directory.token_holder(token_hash) == (person if token_hash in self.tokens else None)
            held = [number for number, extension in self.extensions.items() if extension.user_id == user_id]
            assert directory.number_of(user_id) == (held[0] if held else None)
        for name in "abc":
            named = [person for person in self.people.values() if person.name == name]
            assert directory.person_by_name(name) == (named[0] if named else None)
        assert list(directory.numbers()) == sorted(self.extensions)
        for number in NUMBERS:
            assert directory.extension(number) == self.extensions.get(number)
            assert self.shown.get(number, (None, None)) == self.composed(number), "whoever composes it was told"


@settings(deadline=None, max_examples=700)
@given(STEPS)
def test_whatever_comes_between_the_slices_the_end_is_right(steps: list[Any]) -> None:
    rows = Rows()
    for step in steps:
        if step == "begin":
            rows.begin()
        elif step == "slice":
            rows.slice()
        elif step == "end":
            rows.end()
        elif step in ("hint", "hints"):
            for _ in range(len(rows.hints) if step == "hints" else 1):
                rows.follow_one()
        else:
            rows.change(*step)
    rows.end()
    while rows.hints:
        rows.follow_one()
    rows.check()


@settings(deadline=None, max_examples=500)
@given(st.lists(CHANGES, max_size=20), st.lists(CHANGES, max_size=5))
def test_lost_hints_are_made_up_for_by_the_next_reading_of_everything(heard: list[Any], lost: list[Any]) -> None:
    rows = Rows()
    for change in heard:
        rows.change(*change)
    while rows.hints:
        rows.follow_one()
    for change in lost:
        rows.change(*change)
    rows.hints.clear()
    rows.begin()
    rows.end()
    rows.check()


@settings(deadline=None, max_examples=200)
@given(STEPS)
def test_nothing_of_an_unfinished_reading_is_answered(steps: list[Any]) -> None:
    rows = Rows()
    for step in steps:
        if not isinstance(step, str):
            rows.change(*step)
    while rows.hints:
        rows.follow_one()
    rows.check()
    rows.begin()
    while rows.slices:
        rows.slice()
        rows.check()
    assert rows.rereading is not None
    rows.directory.cancel_reread(rows.rereading)
    rows.rereading = None
    rows.check()


def test_what_reads_the_same_stays_the_same_and_concerns_nobody() -> None:
    """So what was made of it is not made again."""
    rows = Rows()
    rows.change("person", 1, "a")
    rows.change("token", 1, True)
    rows.change("extension", "101", 1)
    rows.begin()
    rows.end()
    before, version = rows.directory.extension("101"), rows.directory.version
    twin = Rows()
    for change in (("person", 1, "a"), ("token", 1, True), ("extension", "101", 1)):
        twin.change(*change)
    twin.directory = rows.directory
    twin.begin()
    twin.end()
    assert rows.directory.extension("101") is before
    assert rows.directory.version == version
    assert twin.shown == {}
