"""Mutants of what follows PostgreSQL: the listener, the directory, the pool, the audit trail, and what watches them."""

from __future__ import annotations

from functools import partial

from tests.simulation.mutants.mutant import Mutant as AnyMutant

Mutant = partial(AnyMutant, profile="database", seeds=tuple(range(5)))
"""Where the first seeds are not the quickest, the mutant names its own."""

LISTENER = "service/db/change_listener.py"
HINTS = "service/db/change_hints.py"
DIRECTORY = "service/domain/directory.py"
TABLES = "service/domain/directory_tables.py"
COPY = "service/domain/confirmed_copy.py"
POOL = "service/db/pool.py"
MUTANTS = [
    Mutant(
        "a revoked token stays",
        TABLES,
        "            return self.tokens.pop(token_hash, None) is not None\n",
        "            return token_hash in self.tokens\n",
    ),
    Mutant(
        "a token that ended is looked for again in vain",
        DIRECTORY,
        "            return token_hash in self._revoked\n",
        "            return True\n",
    ),
    Mutant(
        "an inactive user's token is accepted",
        DIRECTORY,
        "        if person is None or not person.active:\n            return None\n        return person if token",
        "        if person is None:\n            return None\n        return person if token",
        seeds=(8, *range(5)),
    ),
    Mutant(
        "the barrier lets a request pass at once",
        "service/db/read_barrier.py",
        "                await passed\n",
        "                await asyncio.sleep(0)\n",
    ),
    Mutant(
        "the barrier confirms what came after the heartbeat",
        "service/db/read_barrier.py",
        "if asked_at <= at])",
        "if asked_at <= at + 0.05])",
    ),
    Mutant(
        "a confirmation is never overdue",
        COPY,
        "        overdue = self._clock() - self._current_until\n        if overdue <= 0:",
        "        overdue = self._clock() - self._current_until\n        if overdue <= 600:",
        seeds=(1, *range(5)),
    ),
    Mutant(
        "the grace never ends",
        COPY,
        "        self._usable_until = self._current_until + self._grace_period\n",
        "        self._usable_until = self._current_until + self._grace_period + 3600\n",
        seeds=(1, *range(5)),
    ),
    Mutant(
        "a heartbeat counts from its return",
        LISTENER,
        "            self._confirmed_at = sent_at\n",
        "            self._confirmed_at = self._clock()\n",
    ),
    Mutant(
        "a heartbeat need not return",
        "service/db/listen_heartbeat.py",
        "            await self._returned\n",
        "",
        seeds=(1, *range(5)),
    ),
    Mutant(
        "nothing is read again after a reconnect",
        LISTENER,
        "            self._hints.request_full_read_now()\n"
        "            self._full_reads.defer(self._full_reads.required(behind=True), self._clock(), [])\n",
        "            if not self.loaded.is_set():\n"
        "                self._hints.request_full_read_now()\n"
        "                self._full_reads.defer(self._full_reads.required(behind=True), self._clock(), [])\n",
    ),
    Mutant(
        "a confirmation does not wait for a full read that a hint asked for",
        "service/db/full_read_waits.py",
        "        if behind:\n            return self._last_begun + 1\n",
        "        if behind:\n            return 0\n",
        seeds=(2, *range(5)),
    ),
    Mutant(
        "a row that was read during a full read takes the older value",
        TABLES,
        "        for number in self.touched_extensions:\n"
        "            new.put_extension(number, current.extensions.get(number))\n",
        "",
        seeds=(14, 32, 10, 31, 38),
    ),
    Mutant(
        "a token that was revoked during a full read is back",
        TABLES,
        "        for token_hash in self.touched_tokens:\n"
        "            new.put_token(token_hash, current.tokens.get(token_hash))\n",
        "",
        seeds=(10, *range(5)),
    ),
    Mutant(
        "an extension stays with its former user",
        TABLES,
        "            del self.number_by_user[before.user_id]\n",
        "            pass\n",
    ),
    Mutant(
        "a disabled extension is answered",
        DIRECTORY,
        "return extension if extension is not None and extension.enabled and person.active else None",
        "return extension if extension is not None and person.active else None",
    ),
    Mutant(
        "hints of users are not read",
        HINTS,
        '            self._rows.user_ids.add(int(match["user"]))\n',
        "            pass\n",
    ),
    Mutant(
        "the end of a read-only time is not looked for",
        "service/db/connection.py",
        "        self.write_access.report(read_only=is_read_only(connection))\n",
        "        if is_read_only(connection):\n            self.write_access.report(read_only=True)\n",
        seeds=(11, *range(5)),
    ),
    Mutant(
        "a change is not audited",
        "service/db/users.py",
        '        if await connection.fetchval(SQL["set_password"], user_id, passwd) is None:\n'
        '            raise NoSuchUser(f"there is no user {user_id}")\n'
        "        await record(",
        '        if await connection.fetchval(SQL["set_password"], user_id, passwd) is None:\n'
        '            raise NoSuchUser(f"there is no user {user_id}")\n'
        "        0 and await record(",
    ),
    Mutant(
        "disclosures count as stored before PostgreSQL has them",
        "service/runtime/audit_trail.py",
        "                    self._away = True\n                    return False\n",
        "                    self._away = True\n"
        "                    batches.stored(rows)\n                    return False\n",
        seeds=(7, *range(5)),
    ),
    Mutant(
        "a stream outlives its token",
        "service/domain/session_watch.py",
        "        if current == self._swept and self._directory.now() < self._next_expiry:\n",
        "        if self._swept is not None:\n",
    ),
    Mutant(
        "a new SIP password is told to nobody",
        "service/domain/credential_watch.py",
        "            known[phone.phone_id] = phone\n            for",
        "            known[phone.phone_id] = phone\n            if before is not None:\n"
        "                continue\n            for",
        seeds=(2, *range(5)),
    ),
    Mutant(
        "a user is read by a statement that began before the request",
        "service/db/user_loader.py",
        "        self._waiting.append((user_id, answer))\n",
        "        self._waiting.append((user_id, answer))\n"
        "        row = self.__dict__.setdefault('rows', {}).get(user_id)\n"
        "        self.rows[user_id] = answer\n"
        "        answer = row if row is not None and row.done() and not row.exception() else answer\n",
    ),
    Mutant(
        "a log line holds a password",
        "service/db/users.py",
        '        if await connection.fetchval(SQL["set_password"], user_id, passwd) is None:\n',
        "        __import__('structlog').get_logger().info('password_set', hash=passwd)\n"
        '        if await connection.fetchval(SQL["set_password"], user_id, passwd) is None:\n',
    ),
    Mutant(
        "a request waits for PostgreSQL for ever",
        POOL,
        "            async with asyncio.timeout(within or self.deadline):\n",
        "            async with asyncio.timeout(None):\n",
        seeds=(9, *range(5)),
    ),
    Mutant(
        "a refresh does not wait for its row",
        LISTENER,
        "        _resolve(done for hint, done in waiting if rows.holds(hint))\n",
        "        _resolve(done for hint, done in waiting)\n",
    ),
]
