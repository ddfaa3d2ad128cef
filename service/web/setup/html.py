"""HTML from Python: elements whose texts are escaped, so that no name becomes markup."""

from __future__ import annotations

from html import escape

VOID = frozenset({"meta", "br"})


class Html(str):
    """Markup. Any other string is text."""

    __slots__ = ()


def element(tag: str, /, *content: str, **attributes: str) -> Html:
    """Return an element. Text and values of attributes are escaped; of a name such as `class_` the `_` goes."""
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    end = "" if tag in VOID else f"</{tag}>"
    return Html(f"<{tag}{shown}>{joined(*content)}{end}")


def joined(*content: str) -> Html:
    """Join texts, which are escaped, and markup."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in content))
