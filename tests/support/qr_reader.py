"""Reads a QR code as a phone's camera does, but from its modules: byte mode, versions 1 to 10, level M.

Written from the standard (ISO/IEC 18004), so that a test does not compare what one library draws with what it draws.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

Modules = list[list[bool]]
ALIGNMENT = {2: 18, 3: 22, 4: 26, 5: 30, 6: 34, 7: (22, 38), 8: (24, 42), 9: (26, 46), 10: (28, 50)}
"""Centres of the alignment patterns beside 6, by version."""
BLOCKS = {
    1: [16],
    2: [28],
    3: [44],
    4: [32] * 2,
    5: [43] * 2,
    6: [27] * 4,
    7: [31] * 4,
    8: [38] * 2 + [39] * 2,
    9: [36] * 3 + [37] * 2,
    10: [43] * 4 + [44],
}
"""Data codewords of the blocks at level M."""
MASKS = (
    lambda i, j: (i + j) % 2 == 0,
    lambda i, j: i % 2 == 0,
    lambda i, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
)


def read_svg(svg: str) -> str:
    """The text of a code that is drawn as SVG by strokes of one module."""
    found = re.search(r'viewBox="0 0 (\d+) \1"', svg)
    drawn = re.search(r'stroke="#000" d="([^"]+)"', svg)
    assert found is not None, svg
    assert drawn is not None, svg
    size = int(found[1])
    page = [[False] * size for _ in range(size)]
    x, y = 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", drawn[1]):
        values = [float(number) for number in numbers.split()]
        if command == "h":
            for column in range(int(values[0])):
                page[int(y)][int(x) + column] = True
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return read(_cut(page))


def read_lines(lines: list[str]) -> str:
    """The text of a code in half blocks, light on dark."""
    halves = {" ": (True, True), "▀": (False, True), "▄": (True, False), "█": (False, False)}
    page = [[halves[cell][half] for cell in line] for line in lines for half in (0, 1)]
    return read(_cut(page if not all(page[-1]) else page[:-1]))


def read(modules: Modules) -> str:
    """The text of a code from its modules; True is dark."""
    size = len(modules)
    version, mask = (size - 17) // 4, _mask(modules)
    bits = "".join("01"[modules[i][j] ^ MASKS[mask](i, j)] for i, j in _path(size, _function_patterns(size, version)))
    codewords = [int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8)]
    data = "".join(f"{word:08b}" for word in _join(codewords, BLOCKS[version]))
    assert data[:4] == "0100", "the code is not in byte mode"
    width = 8 if version < 10 else 16
    start, length = 4 + width, int(data[4 : 4 + width], 2)
    return bytes(int(data[at : at + 8], 2) for at in range(start, start + 8 * length, 8)).decode()


def _cut(page: Modules) -> Modules:
    """Without the margin, which must be at least four modules wide."""
    rows = [number for number, row in enumerate(page) if any(row)]
    columns = [number for row in page for number, dark in enumerate(row) if dark]
    top, left = rows[0], min(columns)
    assert min(top, left) >= 4, "the margin is too narrow"
    return [row[left : max(columns) + 1] for row in page[top : rows[-1] + 1]]


def _mask(modules: Modules) -> int:
    """The mask's number, from the format information beside the first finder pattern."""
    columns = (0, 1, 2, 3, 4, 5, 7, 8)
    first = "".join("01"[modules[8][column]] for column in columns)
    level_and_mask = int(first[:5], 2) ^ 0b10101
    assert level_and_mask >> 3 == 0b00, "the code is not of level M"
    return level_and_mask & 0b111


def _function_patterns(size: int, version: int) -> Modules:
    taken = [[False] * size for _ in range(size)]

    def take(rows: range, columns: range) -> None:
        for i in rows:
            for j in columns:
                taken[i][j] = True

    take(range(9), range(9))
    take(range(9), range(size - 8, size))
    take(range(size - 8, size), range(9))
    take(range(6, 7), range(size))
    take(range(size), range(6, 7))
    further = ALIGNMENT.get(version, ())
    centres = (6, *(further if isinstance(further, tuple) else (further,)))
    for i in centres:
        for j in centres:
            if (i, j) not in {(6, 6), (6, centres[-1]), (centres[-1], 6)}:
                take(range(i - 2, i + 3), range(j - 2, j + 3))
    if version >= 7:
        take(range(6), range(size - 11, size - 8))
        take(range(size - 11, size - 8), range(6))
    return taken


def _path(size: int, taken: Modules) -> Iterator[tuple[int, int]]:
    """The modules of data: in pairs of columns from the right, up and down by turns, past the timing pattern."""
    upwards = True
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for i in range(size - 1, -1, -1) if upwards else range(size):
            yield from ((i, j) for j in (right, right - 1) if not taken[i][j])
        upwards = not upwards


def _join(codewords: list[int], blocks: list[int]) -> list[int]:
    """The data of the blocks one after the other; they are interleaved."""
    words = iter(codewords)
    rows = [[next(words) if place < length else None for length in blocks] for place in range(max(blocks))]
    return [word for block in zip_longest(*rows) for word in block if word is not None]
