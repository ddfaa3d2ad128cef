"""Answers a poll again that came before with the same bytes, in fewer steps than its handler.

Softphones send the same bytes for hours. Their handler reads path, query, headers and token each time, which takes most
of a poll. A `RepeatedPoll` keeps what these bytes mean, and nothing else that can change: neither person nor state. So
it looks at everything anew, by the functions that the handler calls, and has nothing that could be stale.

It answers the common case only. In any other it counts nothing and leaves the poll to the handler, which decides.
"""

from __future__ import annotations

from typing import Protocol

Answer = tuple[int, bytes, bytes]
"""Status, headers as bytes, and body."""


class RepeatedPoll(Protocol):
    """What the bytes of a poll mean, and which entity tag the last answer had. It holds no secret, and no token."""

    def answer(self, peer: str | None) -> Answer | None:
        """The response that the handler would give, if it is like the last one; the caller's request is counted then.

        `peer` is the address of the connection, as `PolledRequest.remote`.

        None if it may be another one, or an error: nothing is counted then. Raises what the handler raises.
        """
