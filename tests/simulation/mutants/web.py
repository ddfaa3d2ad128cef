"""Mutants of the HTTP server, of polls, long polls and streams, of their limits, and of what each caller may see."""

from __future__ import annotations

from functools import partial

from tests.simulation.mutants.mutant import Mutant as AnyMutant

Mutant = partial(AnyMutant, profile="web")
OTHERS = 0, 1, 2, 3, 4, 5
"""Seeds that are tried if the first one passes, as it may after a change of the product."""

MUTANTS = [
    Mutant(
        "a stream outlives its token until the next sweep",
        "service/domain/session_watch.py",
        "        return self._access(token_hash) == access\n",
        "        return True\n",
        seeds=(4, *OTHERS),
    ),
    Mutant(
        "nobody looks for tokens that have ended",
        "service/domain/session_watch.py",
        "        self._end(ended for ended, ",
        "        self._end(ended for ended, _ in () for ",
        seeds=(2, *OTHERS),
    ),
    Mutant(
        "an entity tag of presence does not cover the state",
        "service/web/presence/snapshot_cache.py",
        "keyed_digest(encode(item.facts()), self._tag_key)",
        "keyed_digest(encode(item.facts()[:4]), self._tag_key)",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a registration info is kept whatever the state becomes",
        "service/web/softphone/registration_cache.py",
        "            if reading is cached.reading or reading == cached.reading:",
        "            if True:",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a registration info is kept when the SIP password changes",
        "service/web/softphone/registration_cache.py",
        "if cached is not None and cached.extension is extension and cached.period == period:",
        "if cached is not None and cached.period == period:",
        seeds=(3, *OTHERS),
    ),
    Mutant(
        "a repeated poll of registration info is answered as the last time",
        "service/web/softphone/repeated_registration.py",
        "        if current is None or current.etag != self.etag:",
        "        if current is None:",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a repeated poll of presence is answered as the last time",
        "service/web/presence/repeated_presence.py",
        "if etag == self.etag and caller.count(person) else None",
        "if caller.count(person) else None",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a repeated poll is answered from a stale directory, and not marked",
        "service/web/auth/repeated_caller.py",
        "self.directory.token_holder(self.token_hash, current=True)",
        "self.directory.token_holder(self.token_hash)",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a stale directory is not told to a softphone",
        "service/web/softphone/registration.py",
        "    if stale_since is not None:",
        "    if False:",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a refusal for lack of room does not say when to come again",
        "service/web/http/error_responses.py",
        "    elif isinstance(error, Unavailable):",
        "    elif False:",
        seeds=(1, *OTHERS),
    ),
    Mutant(
        "a held request that has ended still counts",
        "service/domain/held_request_quota.py",
        "        self._total -= 1\n",
        "",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "one person may hold any number of requests",
        "service/domain/held_request_quota.py",
        "        if len(held) > self._max_per_person:",
        "        if False:",
        seeds=(2, *OTHERS),
    ),
    Mutant(
        "any number of requests is held",
        "service/domain/held_request_quota.py",
        "        if self._total >= self._max_total:",
        "        if False:",
        seeds=(2, *OTHERS),
    ),
    Mutant(
        "any number of connections is accepted",
        "service/web/server/connection_limit.py",
        "        if len(self._all) < self.max_connections:",
        "        if True:",
        seeds=(2, *OTHERS),
    ),
    Mutant(
        "a long poll of presence has no end",
        "service/web/auth/held_poll.py",
        "        await self._waiter.wait(remaining)\n",
        "        await self._waiter.wait()\n",
        seeds=(2, *OTHERS),
    ),
    Mutant(
        "a long poll of registration info has no end",
        "service/web/softphone/registration.py",
        "await waiter.wait(min(RECHECK_INTERVAL, deadline - loop.time()))",
        "await waiter.wait()",
        seeds=(1, *OTHERS),
    ),
    Mutant(
        "in the drain plain requests are answered as always",
        "service/web/server/dispatcher.py",
        "        if handler is None or self._draining.is_set():",
        "        if handler is None:",
        seeds=(0, *OTHERS),
    ),
    Mutant(
        "a slow reader gets the oldest item of an extension",
        "service/domain/presence/subscription.py",
        "        self._items[extension] = item\n",
        "        self._items.setdefault(extension, item)\n",
        seeds=(2, *OTHERS),
    ),
    Mutant(
        "two streams at one cursor get the same event, whatever they missed",
        "service/web/presence/sse/events.py",
        "key = (cursor, since if scope.covers_everything else changes)",
        "key = (cursor, -1)",
        seeds=(1, *OTHERS),
    ),
    Mutant(
        "a stream does not hear of a new owner",
        "service/domain/presence/feed.py",
        "        self.subscriptions.put(version, extension, new, owner_changed=owner_changed)",
        "        self.subscriptions.put(version, extension, new, owner_changed=False)",
        seeds=(3, *OTHERS),
    ),
    Mutant(
        "everybody sees every extension",
        "service/domain/presence/visibility.py",
        "    return sees_all(person) or item.user_id == person.uid",
        "    return True",
        seeds=(3, *OTHERS),
    ),
    Mutant(
        "a board hears of a phone's SIP password",
        "service/web/presence/sse/connection.py",
        "        if self._scope.person.scope is not TokenScope.ALL:",
        "        if False:",
        seeds=(4, *OTHERS),
    ),
    Mutant(
        "half a request may take for ever",
        "service/web/server/connection_bounds.py",
        "        self._bounds.heads.start(self)\n",
        "",
        seeds=(3, *OTHERS),
    ),
    Mutant(
        "what is pipelined behind a request is lost",
        "service/web/server/connection.py",
        "            self._held[:0] = data[size:]\n",
        "",
        seeds=(1, *OTHERS),
    ),
]
