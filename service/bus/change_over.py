"""Brings a followed call server from the map that it holds to a copy, by the difference, in slices."""

from __future__ import annotations

from collections.abc import Callable

from service.bus.entries import TABLES, keys, read
from service.bus.followed import FollowedCallServer
from service.bus.replica import Replica
from service.slices import in_slices

SLICE = 1_000
"""Entries compared per turn of the loop: a millisecond or two."""


async def apply_difference(server: FollowedCallServer, replica: Replica, shown: Callable[[], Replica | None]) -> bool:
    """Apply all that differs. False once `shown` returns another copy; some of it may be applied then.

    Changes of the copy must be applied meanwhile as well: each entry is compared with the copy's present value.
    """
    for table in TABLES:
        wanted = replica.tables[table]
        for all_keys in (list(wanted), keys(server, table)):
            async for part in in_slices(all_keys, SLICE):
                if shown() is not replica:
                    return False
                differing = {key: value for key in part if read(server, table, key) != (value := wanted.get(key))}
                if differing:
                    server.put(table, differing)
    return shown() is replica
