"""Python's garbage collector, told what this process is like: much that stays, and little that dies in cycles.

Left alone it looks for cycles whenever 700 more objects are alive than last time: again and again for each wave of
requests; and now and then through all people and extensions. A tenth of what reading a user took was that.
"""

from __future__ import annotations

import gc

YOUNG = 5_000
"""Objects more that may be alive before cycles are looked for among them, which takes some us each."""


def settle() -> None:
    """Never look again through what is there now; that takes a while, once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
