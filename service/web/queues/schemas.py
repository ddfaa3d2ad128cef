"""Schemas of the queues."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from service.web.http.wait import Wait
from service.web.openapi.operation import AnyOf, No, Yes

_TIME = {"format": "date-time"}


class WaitingCaller(msgspec.Struct, frozen=True, rename="camel"):
    """A waiting call."""

    position: Annotated[int, Meta(description="Position, from 1, which is answered next.")]
    waiting_since: Annotated[str, Meta(description="Time at which the call joined the queue.", extra_json_schema=_TIME)]
    caller_id: Annotated[
        str | None,
        Meta(
            description="Number of the caller. Null if it is withheld, and for agents who are no members of the queue."
        ),
    ]


class QueueMember(msgspec.Struct, frozen=True, rename="camel"):
    """A member. `extension` and `userId` are null if the member stands for no extension, or for one of nobody."""

    extension: str | None
    user_id: str | None
    name: Annotated[str, Meta(description="Name in the queue's configuration.")]
    state: Annotated[str, Meta(description="Device state by which the queue calls the member.")]
    paused: bool
    paused_reason: Annotated[str | None, Meta(description="Reason that was given. Null unless paused.")]
    paused_since: Annotated[
        Annotated[str, Meta(extra_json_schema=_TIME)] | None, Meta(description="Null unless paused.")
    ]
    penalty: Annotated[int, Meta(description="Members with a lower penalty are called first.")]
    in_call: Annotated[bool, Meta(description="Whether the member is in a call of this queue.")]
    calls_taken: int
    last_call_at: Annotated[
        Annotated[str, Meta(extra_json_schema=_TIME)] | None,
        Meta(description="End of the member's last call of this queue. Null if there was none."),
    ]


class Queue(msgspec.Struct, frozen=True, rename="camel"):
    """A queue with its waiting calls and members."""

    name: str
    call_server: str
    loggedin: Annotated[int, Meta(description="Number of members whose device is available.")]
    available: Annotated[int, Meta(description="Number of logged-in members who are idle and not paused.")]
    callers: list[WaitingCaller]
    members: list[QueueMember]


class RemovedQueue(msgspec.Struct, frozen=True, rename="camel"):
    """A queue that is no longer in the list."""

    name: str
    call_server: str
    live: Annotated[
        bool,
        Meta(
            description="True if the call server no longer has the queue; false if it is unknown: the call server is "
            "not live."
        ),
    ]
    removed: Yes = True


class QueueOrRemoved(AnyOf):
    """A changed or removed queue."""

    alternatives = (Queue, RemovedQueue)


class QueueList(msgspec.Struct, frozen=True):
    """All queues whose call server is live, sorted by call server and name."""

    queues: list[Queue]
    full: Yes
    cursor: str
    success: Yes = True


class ChangedQueues(msgspec.Struct, frozen=True):
    """Changes since a cursor, oldest first."""

    queues: list[QueueOrRemoved]
    full: No
    cursor: str
    success: Yes = True


class QueueAnswer(AnyOf):
    """A snapshot, or changes. A `since` that is too old, from another replica or made up gets a snapshot."""

    alternatives = (QueueList, ChangedQueues)


class QueueQuery(msgspec.Struct, frozen=True):
    """Cursor and long polling."""

    since: Annotated[
        str,
        Meta(
            description="Cursor of an earlier response, of this call or of presence. Only later changes are returned.",
            extra={"repeated": "first"},
        ),
    ] = ""
    wait: Wait = 0.0
