"""QR codes, as SVG for pages and as text for terminals."""

from __future__ import annotations

import io
from typing import Any

import segno

BORDER = 4
"""Modules of light margin around the code, as its standard demands."""
_NO_CLASSES: dict[str, Any] = {"svgclass": None, "lineclass": None}


def qr_svg(text: str) -> str:
    """Return an SVG element without a size of its own, dark on light whatever the page's colours are.

    It has no style and no script, so it needs nothing of a Content-Security-Policy.
    """
    drawn = io.BytesIO()
    _code(text).save(
        drawn,
        kind="svg",
        xmldecl=False,
        border=BORDER,
        light="#fff",
        omitsize=True,
        nl=False,
        svgclass="",
        lineclass="",
    )
    return drawn.getvalue().decode()


def qr_lines(text: str) -> list[str]:
    """Return the lines of a code in half blocks, for a terminal with light text on dark. On others it is inverted."""
    drawn = io.StringIO()
    _code(text).terminal(out=drawn, compact=True, border=BORDER)
    return drawn.getvalue().splitlines()


def _code(text: str) -> segno.QRCode:
    """A code in UTF-8, as phones guess, that stays readable if 15 % of it are dirty or reflect."""
    return segno.make_qr(text, error="m", boost_error=False, encoding="utf-8")
