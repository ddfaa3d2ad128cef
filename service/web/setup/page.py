"""The pages for people under `/p/`: what to do, the secret once it was asked for, and refusals. Pure functions.

No page has a script. Each is one document with its style, so it fetches nothing.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from service.domain.phone_kinds import PhoneKind, SetUp
from service.domain.provisioning.typed_account import Field
from service.web.setup.html import Html, element, joined
from service.web.setup.languages.texts import Texts

ASSETS = Path(__file__).parent / "assets"
SHOW = "show"
"""Last segment of the path to which the button posts."""


@dataclass(frozen=True, slots=True)
class Visited:
    """A phone whose page is shown."""

    kind: PhoneKind
    label: str
    """Any text."""
    extension: str


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What the button shows: any of them may be absent."""

    account: Mapping[Field, str] = field(repr=False)
    qr: str | None = field(repr=False, default=None)
    """SVG of the code that holds the account."""
    configuration: str | None = field(repr=False, default=None)
    """Text to copy."""


def setup_page(
    texts: Texts, phone: Visited, *, token: str, url: str, qr: str, now: float, expires_at: float, live: bool
) -> str:
    """Return the page of a set-up link, which shows no secret.

    `url` is what the phone fetches, `qr` an SVG of it; a kind that fetches nothing ignores both. `live`: whether the
    phone's call server answers this service.
    """
    left = joined(
        element("p", *_phone(texts, phone)),
        element("p", texts.valid.format(**_until(now, expires_at)), class_="note"),
        *(() if live else (element("p", texts.not_live, class_="note"),)),
    )
    ways = _fetched(texts, phone, url, qr) if phone.kind.set_up is SetUp.FETCHES else _hidden(texts, phone, token)
    trouble = joined(element("h2", texts.trouble), _list("ul", texts.trouble_steps))
    return _document(texts, _title(texts, phone), left, ways, trouble)


def secret_page(texts: Texts, phone: Visited, disclosed: Disclosed) -> str:
    """Return the page that shows a phone's account, once."""
    parts = [
        element("p", *_phone(texts, phone)),
        element("p", texts.shown_once, class_="note"),
        element("h2", texts.next_steps),
        _list("ol", texts.kinds[phone.kind.name].then),
    ]
    if disclosed.qr is not None:
        parts += [_code(disclosed.qr, texts.qr_of_account), element("h2", texts.by_hand)]
    if disclosed.configuration is not None:
        parts.append(element("pre", disclosed.configuration))
    parts.append(_account(texts, disclosed.account))
    return _document(texts, _title(texts, phone), *parts)


def refusal_page(texts: Texts) -> str:
    """Return the page of every refusal: it is the same whatever the cause."""
    said = (texts.refused_why, texts.refused_well, texts.refused_new)
    return _document(texts, texts.refused, *(element("p", each) for each in said))


def unavailable_page(texts: Texts) -> str:
    """Return the page for the time in which nothing can be looked up."""
    return _document(texts, texts.unavailable, element("p", texts.unavailable_why))


@cache
def style_digest() -> str:
    """Return the style's hash for the Content-Security-Policy."""
    return f"sha256-{b64encode(hashlib.sha256(_style().encode()).digest()).decode()}"


def _fetched(texts: Texts, phone: Visited, url: str, qr: str) -> Html:
    """The three ways of a phone to a URL: a link on the same device, a code for another one, and its text."""
    return joined(
        element("h2", texts.next_steps),
        _list("ol", texts.kinds[phone.kind.name].steps),
        element("h2", texts.this_device),
        element("p", element("a", texts.open_app, href=f"{phone.kind.name}-config:{url}", class_="action")),
        element("h2", texts.other_device),
        element("p", texts.qr_of_url),
        _code(qr, texts.qr_of_url),
        element("h2", texts.no_camera),
        element("p", texts.enter_url, element("code", url, class_="address")),
        element("h2", texts.done),
        *(element("p", each) for each in texts.kinds[phone.kind.name].then),
    )


def _hidden(texts: Texts, phone: Visited, token: str) -> Html:
    """The button that shows the secret."""
    told = texts.kinds[phone.kind.name]
    button = element("button", told.button, type="submit", class_="action")
    return joined(
        element("h2", texts.next_steps),
        _list("ol", told.steps),
        element("p", texts.keep_private),
        element("form", button, method="post", action=f"{token}/{SHOW}", autocomplete="off"),
    )


def _account(texts: Texts, account: Mapping[Field, str]) -> Html:
    pairs = (joined(element("dt", texts.fields[name]), element("dd", value)) for name, value in account.items())
    return element("dl", *pairs) if account else Html()


def _title(texts: Texts, phone: Visited) -> str:
    return texts.title.format(kind=texts.kind_titles.get(phone.kind.name, phone.kind.title))


def _phone(texts: Texts, phone: Visited) -> tuple[str, ...]:
    """Which phone it is. Its label may run in another direction than the text around."""
    before, _, after = texts.phone.format(label="\0", extension=phone.extension).partition("\0")
    return before, element("bdi", phone.label), after


def _until(now: float, expires_at: float) -> dict[str, str]:
    """How long a link is valid. Without a script, the page does not know the reader's time zone."""
    return {
        "minutes": str(max(1, int((expires_at - now) / 60))),
        "time": datetime.fromtimestamp(expires_at, UTC).strftime("%H:%M"),
    }


def _code(svg: str, label: str) -> Html:
    return element("div", Html(svg), class_="qr", role="img", aria_label=label)


def _list(kind: str, items: tuple[str, ...]) -> Html:
    return element(kind, *(element("li", item) for item in items))


def _document(texts: Texts, title: str, *parts: str) -> str:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        Html(f"<style>{_style()}</style>"),
    )
    main = element("main", element("h1", title), *parts)
    return f"<!doctype html>\n{element('html', head, element('body', main), lang=texts.language)}\n"


@cache
def _style() -> str:
    return (ASSETS / "setup.css").read_text(encoding="utf-8")
