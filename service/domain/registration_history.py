"""Transitions between registered and not registered, of one call server's extensions, until they are stored. Pure.

Only what was observed is recorded as such. A registration that is known again after a lost link, or after the process
started, is *found*: if it differs from the last one stored, it changed at an unknown time in between. Time without a
link is not observed; nor is the time of transitions that were dropped because PostgreSQL was away too long.

Every process records. The one that holds the lease stores; the others drop what they hear that it has stored, so that
they can continue without a gap when it dies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

GRACE = 10.0
"""Seconds that a registration may be unknown without being recorded as unknown: contacts are being read."""
SKEW = 1.0
"""Seconds by which two processes may hear of the same event at different times."""
MAX_PENDING = 50_000
"""Transitions that wait in memory for PostgreSQL. Beyond that all are dropped, and the observation begins anew."""


@dataclass(frozen=True, slots=True)
class Change:
    """From the moment `at` of the clock the extension is registered, is not, or (None) neither is known."""

    extension: str
    at: float
    registered: bool | None
    exact: bool
    """False: it was found so, and changed at an unknown time before."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A time without a gap, in moments of the clock."""

    since: float
    until: float


class RegistrationRecorder:
    """`clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float], max_pending: int = MAX_PENDING) -> None:
        self._clock = clock
        self._max_pending = max_pending
        self._known: dict[str, bool | None] = {}  # the last value that was recorded
        self._found: set[str] = set()  # known in this observation
        self._unknown_since: dict[str, float] = {}
        self._pending: dict[str, list[Change]] = {}
        self._waiting = 0
        self._since: float | None = None  # of the present observation
        self._proved_at = float("-inf")
        self._swept = False
        self._ended: Observation | None = None

    # --- writing: the presence feed and the link ---------------------------------------------------------------

    def link_changed(self, live: bool) -> None:
        """Begin an observation, or end it with the last proof of life."""
        if live and self._since is None:
            self._begin()
        elif not live and self._since is not None:
            # Several in one interval: the last one is kept, and the others count as not observed.
            if self._proved_at > self._since:
                self._ended = Observation(self._since, self._proved_at)
            self._since = None
            self._unknown_since.clear()

    def prove(self, at: float) -> None:
        """Note that everything is known that happened up to this moment of the clock."""
        self._proved_at = max(self._proved_at, at)

    def observe(self, extension: str, registered: bool | None) -> bool:
        """Take what is known of an extension now, and return whether it was seen to lose its registration."""
        if self._since is None:
            return False
        now = self._clock()
        if registered is None:
            self._unknown_since.setdefault(extension, now)
            return False
        unknown_for = now - self._unknown_since.pop(extension, now)
        exact = extension in self._found and unknown_for < GRACE
        self._found.add(extension)
        self._proved_at = max(self._proved_at, now)
        if self._known.get(extension, ...) is registered:
            return False
        self._record(Change(extension, now, registered, exact))
        return exact and not registered

    def forget(self, extension: str) -> None:
        """Forget an extension that was deleted."""
        self._known.pop(extension, None)
        self._found.discard(extension)
        self._unknown_since.pop(extension, None)
        self._waiting -= len(self._pending.pop(extension, ()))

    def _begin(self) -> None:
        self._since, self._swept = self._clock(), False
        self._found.clear()
        self._unknown_since.clear()

    def _record(self, change: Change) -> None:
        self._known[change.extension] = change.registered
        self._pending.setdefault(change.extension, []).append(change)
        self._waiting += 1
        if self._waiting > max(self._max_pending, 2 * len(self._known)):
            self._drop()

    def _drop(self) -> None:
        """Drop what waits, and begin anew: what is known now is found now."""
        self._pending.clear()
        self._waiting, self._ended = 0, None
        if self._since is not None:
            now = self._since = self._clock()
            for extension in self._found:
                self._pending[extension] = [Change(extension, now, self._known[extension], exact=False)]
            self._waiting = len(self._pending)

    # --- storing: the writer -----------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Number of transitions that wait."""
        return self._waiting

    def sweep(self) -> None:
        """Record what has been unknown for longer than GRACE."""
        now = self._clock()
        if self._since is None:
            return
        for extension in [each for each, since in self._unknown_since.items() if now - since >= GRACE]:
            since = self._unknown_since.pop(extension)
            if self._known.get(extension) is not None:
                self._record(Change(extension, since, None, exact=True))
                self._found.discard(extension)
        if not self._swept and now - self._since >= GRACE:
            self._swept = True
            for extension in [each for each, value in self._known.items() if value is not None]:
                if extension not in self._found and extension not in self._unknown_since:
                    self._record(Change(extension, self._since, None, exact=True))

    def reconcile(self, stored: Mapping[str, bool | None]) -> None:
        """Take the last stored values, when this process becomes the writer: drop what they say already."""
        for extension, value in stored.items():
            changes = self._pending.get(extension)
            if changes:
                before = self._value_before(changes[0])
                if before is not None and before.registered is not value:
                    changes.insert(0, before)
                    self._waiting += 1
                elif changes[0].registered is value:
                    del changes[0]
                    self._waiting -= 1
                    if not changes:
                        del self._pending[extension]
            elif extension not in self._found:
                self._known[extension] = value
            elif self._known[extension] is not value:
                self._record_found(extension)

    def reconcile_others(self, stored: Set[str]) -> None:
        """Take all extensions that have a stored value. The others have none, whatever was dropped here."""
        for extension in self._found - stored - self._pending.keys():
            self._record_found(extension)

    def _value_before(self, change: Change) -> Change | None:
        """Return what was found before an exact transition; None if that does not follow from it.

        A transition just after the last writer's end is one that the last writer has stored: processes hear of it at
        slightly different times.
        """
        if not change.exact or change.registered is None or self._since is None or change.at < self._since + SKEW:
            return None
        return Change(change.extension, self._since, not change.registered, exact=False)

    def _record_found(self, extension: str) -> None:
        """Record what was known when the last writer ended, and has not changed since."""
        at = self._clock() if self._since is None else self._since
        self._record(Change(extension, at, self._known[extension], exact=False))

    def not_stored(self, extension: str) -> None:
        """Note that a transition was left out, so that the next one is stored whatever it is."""
        self._known.pop(extension, None)

    def drop_until(self, moment: float) -> None:
        """Drop what happened until a moment up to which another process has stored all that it observed.

        What this process observed before its present observation counts as not observed.
        """
        moment = min(moment, self._clock())
        for extension, changes in list(self._pending.items()):
            kept = [change for change in changes if change.at > moment]
            self._waiting -= len(changes) - len(kept)
            if kept:
                self._pending[extension] = kept
            else:
                del self._pending[extension]
        self._ended = None
        if self._since is not None:
            self._since = max(self._since, moment)

    def next_changes(self, limit: int) -> list[Change]:
        """Return some transitions that wait, those of an extension in order."""
        found: list[Change] = []
        for changes in self._pending.values():
            found += changes[: limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def stored(self, changes: list[Change]) -> None:
        """Remove transitions that are stored."""
        for change in changes:
            waiting = self._pending.get(change.extension)
            if waiting and waiting[0] is change:
                del waiting[0]
                self._waiting -= 1
                if not waiting:
                    del self._pending[change.extension]

    def observations(self) -> list[Observation]:
        """Return the observations that are to be stored: one that has ended, and the present one so far."""
        present = self._since is not None and self._proved_at > self._since
        found = [self._ended] if self._ended is not None else []
        return [*found, Observation(self._since, self._proved_at)] if present and self._since is not None else found

    def observed(self, observations: list[Observation]) -> None:
        """Remove an ended observation that is stored."""
        if self._ended in observations:
            self._ended = None
