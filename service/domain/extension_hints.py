"""The hints of one call server: which devices each number has. Synchronous and pure; the link writes it.

Only a list says what a hint is. Measured on 22.10 and 16.28: a reload of the dialplan sends no `Reload` event. It
sends `ExtensionStatus` for every hint that stays or comes, before the new hint is in force, with the old text or none,
and nothing for a hint that goes. So an event that no change of a state explains (`apply`) is a reason to list again.
While the reload lasts, lists hold the old and the new hint of a number. The old one is in force until the end, so it
stays, and `reloading` asks for another list.

The statuses follow list and events by the snapshot rule. They are Asterisk's own result, only to be compared with ours
(`hint_comparison`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, Set

from service.domain.hints import AMBIGUOUS, ParsedHint, parse_hint

QUEUE_MEMBERS = "queue-members"
"""The context of this project's own dialplan whose hints tell queues a person's state. They may name a phone that has
gone, so on a managed call server they map nothing."""
HintKey = tuple[str, str]
"""A number and the context of its hint."""
MAX_EVENT_TEXT = 500
"""Bytes from which on an event's text may be cut off: Asterisk writes 511, a list writes all."""
Texts = dict[str, dict[str, str | None]]
"""By number and context. None for a hint that is not known: only its reload was seen."""


class HintList:
    """The content of one `ExtensionStateList`, filled item by item."""

    def __init__(self, known: Mapping[str, Mapping[str, str | None]], ignored: str | None = None) -> None:
        self.texts: Texts = {}
        self.statuses: dict[HintKey, int] = {}
        self.reloading = False
        """Whether a hint occurred twice: the dialplan is being reloaded."""
        self._known = known
        self._ignored = ignored

    def add(self, number: str, context: str, text: str, status: int) -> None:
        """Add an item, unless it is of the ignored context."""
        if context == self._ignored:
            return
        self.statuses[number, context] = status
        contexts = self.texts.setdefault(number, {})
        listed = contexts.setdefault(context, text)
        if listed is not text:
            self.reloading = True
            if listed != text:
                known = self._known.get(number, {}).get(context)
                contexts[context] = known if known in (listed, text) else None


class ExtensionHints:
    """The hints of one call server; those of one `context` only, if it is given, and none of the `ignored` one."""

    def __init__(self, context: str | None = None, *, ignored: str | None = None) -> None:
        self._context = context
        self._ignored = ignored
        self._texts: Texts = {}
        self._statuses: dict[HintKey, int] = {}
        self._events: dict[HintKey, int] = {}  # newest status per hint since the snapshot began

    def __len__(self) -> int:
        return sum(map(len, self._texts.values()))

    # --- writing: the link -------------------------------------------------------------------------------------

    def begin_snapshot(self) -> HintList:
        """Begin a snapshot: the list is about to be requested, and fills the object that is returned."""
        self._events = {}
        return HintList(self._texts, self._ignored)

    def end_snapshot(self, listed: HintList) -> Texts:
        """End a snapshot: the Pong that closes its window has been read. Returns the texts before it."""
        before, self._texts = self._texts, listed.texts
        self._statuses = listed.statuses
        self._statuses.update((key, status) for key, status in self._events.items() if key in self._statuses)
        self._events = {}
        return before

    def apply(self, number: str, context: str, text: str, status: int) -> bool:
        """Apply an `ExtensionStatus` event. Returns whether the dialplan may have been reloaded."""
        if context == self._ignored:
            return False
        key = (number, context)
        known = self.text(key)
        if known is None or status < 0 or not _is_same(text, known):
            return True
        repeated = self._statuses.get(key) == status
        self._statuses[key] = self._events[key] = status
        return repeated

    def lost(self) -> None:
        """Forget the statuses: the link is lost. The texts stay until the next list; no state is live meanwhile."""
        self._statuses = {}
        self._events = {}

    def put(self, number: str, contexts: Mapping[str, str | None] | None) -> None:
        """Set a number's hints as another process knows them; None without one."""
        if contexts is None:
            self._texts.pop(number, None)
        else:
            self._texts[number] = dict(contexts)

    # --- reading -----------------------------------------------------------------------------------------------

    def of(self, number: str) -> ParsedHint | None:
        """Return a number's hint; None without one, AMBIGUOUS if contexts disagree about the devices that count."""
        contexts = self._texts.get(number)
        if contexts is None:
            return None
        if self._context is not None:
            if self._context not in contexts:
                return None
            contexts = {self._context: contexts[self._context]}
        texts = set(contexts.values())
        hints = [parse_hint(text) for text in texts if text is not None]
        if None in texts or len({frozenset(hint.counted) for hint in hints}) > 1:
            return AMBIGUOUS
        if len({hint.presence for hint in hints}) > 1:
            return ParsedHint(hints[0].devices)
        return hints[0]

    def texts_of(self, number: str) -> Mapping[str, str | None] | None:
        """Return the texts of a number's hints by context; None without one."""
        return self._texts.get(number)

    def listed_numbers(self) -> KeysView[str]:
        """Return the numbers that have a hint."""
        return self._texts.keys()

    def contexts_of(self, number: str) -> list[str]:
        """Return the contexts with a hint of this number, sorted; of those that count."""
        contexts = self._texts.get(number, {})
        return sorted(context for context in contexts if self._context in (None, context))

    def changed_among(self, numbers: Iterable[str], before: Texts) -> Set[str]:
        """Return those of the numbers whose hints differ from the texts `before`."""
        return {number for number in numbers if self._texts.get(number) != before.get(number)}

    def numbers(self, before: Texts) -> Iterator[str]:
        """Iterate over all numbers that have a hint, or had one before. A snapshot may not end meanwhile."""
        yield from self._texts
        yield from (number for number in before if number not in self._texts)

    def items(self) -> Iterable[tuple[HintKey, str]]:
        """Return all hints whose text is known."""
        for number, contexts in self._texts.items():
            for context, text in contexts.items():
                if text is not None:
                    yield (number, context), text

    def text(self, key: HintKey) -> str | None:
        """Return the text of a hint; None if it is not known."""
        number, context = key
        return self._texts.get(number, {}).get(context)

    def status(self, key: HintKey) -> int | None:
        """Return Asterisk's own status of a hint."""
        return self._statuses.get(key)


def _is_same(text: str, known: str) -> bool:
    """Return whether an event's text is the known one, which it may hold only the beginning of."""
    if len(text.encode()) < MAX_EVENT_TEXT:
        return text == known
    return text[: MAX_EVENT_TEXT // 4] == known[: MAX_EVENT_TEXT // 4]
