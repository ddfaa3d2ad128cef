"""A JSON list of keyed parts in key order, joined block by block: a change costs one block, not the whole list."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

import msgspec

BLOCK_SIZE = 256
"""Parts of a new block; it is split at twice as many."""


class _Block:
    __slots__ = ("joined", "keys")

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self.joined: bytes | None = None


class JsonBlocks:
    """The list; an ordered map of keys to parts."""

    def __init__(self) -> None:
        self._parts: dict[str, msgspec.Raw] = {}
        self._blocks: list[_Block] = []  # none is empty
        self._firsts: list[str] = []  # the first key of each block
        self._dirty: dict[_Block, None] = {}  # blocks to join again, in order
        self._whole: bytes | None = None

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from block.keys

    def put(self, key: str, part: msgspec.Raw) -> None:
        """Add or replace a part."""
        if not self._blocks:
            self._blocks.append(_Block([]))
            self._firsts.append(key)
        at = max(bisect_right(self._firsts, key) - 1, 0)
        block = self._blocks[at]
        if key not in self._parts:
            insort(block.keys, key)
            self._firsts[at] = block.keys[0]
            if len(block.keys) > 2 * BLOCK_SIZE:
                self._split(at)
        self._parts[key] = part
        self._touch(block)

    def remove(self, key: str) -> None:
        """Remove a part, if present."""
        if self._parts.pop(key, None) is None:
            return
        at = bisect_right(self._firsts, key) - 1
        block = self._blocks[at]
        del block.keys[bisect_left(block.keys, key)]
        self._touch(block)
        if block.keys:
            self._firsts[at] = block.keys[0]
        else:
            del self._blocks[at], self._firsts[at], self._dirty[block]

    def join_some(self, max_blocks: int) -> bool:
        """Join up to `max_blocks` changed blocks. Returns whether all are joined."""
        while self._dirty and max_blocks > 0:
            block = next(iter(self._dirty))
            block.joined = b",".join([self._parts[key] for key in block.keys])
            del self._dirty[block]
            max_blocks -= 1
        return not self._dirty

    def whole(self) -> bytes:
        """The whole list."""
        if self._whole is None:
            self.join_some(len(self._blocks))
            self._whole = join_json_list(block.joined for block in self._blocks if block.joined is not None)
        return self._whole

    def select(self, keys: Iterable[str]) -> bytes:
        """The list of only these parts."""
        return join_json_list([self._parts[key] for key in keys])

    def _split(self, at: int) -> None:
        block = self._blocks[at]
        other = _Block(block.keys[BLOCK_SIZE:])
        del block.keys[BLOCK_SIZE:]
        self._blocks.insert(at + 1, other)
        self._firsts.insert(at + 1, other.keys[0])
        self._touch(other)
        self._touch(block)

    def _touch(self, block: _Block) -> None:
        self._dirty[block] = None
        self._whole = None


def join_json_list(parts: Iterable[msgspec.Raw | bytes]) -> bytes:
    """A JSON list of these parts."""
    return b"[" + b",".join(parts) + b"]"
