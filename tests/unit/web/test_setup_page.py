"""The pages for people: well-formed, without a script, and no name becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from service.domain.phone_kinds import PHONE_KINDS, SetUp
from service.domain.provisioning.typed_account import Field
from service.web.setup.html import VOID, element, joined
from service.web.setup.languages.choice import LANGUAGES
from service.web.setup.languages.texts import Texts
from service.web.setup.page import Disclosed, Visited, refusal_page, secret_page, setup_page, unavailable_page

TOKEN = "q7JmXc2dRk0x8vT2nR6kW9jY5cZ1pL7d"
URL = f"https://phone.example.com/p/{TOKEN}/linphone.xml"
QR = '<svg viewBox="0 0 9 9"><path d="M0 0h9"/></svg>'
HOSTILE = (
    "<script>alert(1)</script>",
    "\"' onmouseover='x' <b>&amp;",
    "{token} %s $x {0}",
    "\u202eelihp",
    "\U0001f469\u200d\U0001f4bb",
    "x" * 200,
    "a\r\nSet-Cookie: b",
)
languages = pytest.mark.parametrize("texts", LANGUAGES.values(), ids=LANGUAGES)
kinds = pytest.mark.parametrize("kind", [name for name, kind in PHONE_KINDS.items() if kind.set_up])


class Read(HTMLParser):
    """Reads a document, whose elements must be closed in order."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def visited(kind: str, label: str = "Mobile") -> Visited:
    return Visited(PHONE_KINDS[kind], label, "12342")


def shown(texts: Texts, kind: str, label: str = "Mobile", left: float = 599.0, *, live: bool = True) -> str:
    return setup_page(texts, visited(kind, label), token=TOKEN, url=URL, qr=QR, now=0.0, expires_at=left, live=live)


def every_page(texts: Texts) -> list[str]:
    secret = Disclosed(dict.fromkeys(Field, "value"), QR, "text")
    names = [name for name, kind in PHONE_KINDS.items() if kind.set_up]
    return [
        *(shown(texts, name, live=live) for name in names for live in (True, False)),
        *(secret_page(texts, visited(name), secret) for name in names),
        refusal_page(texts),
        unavailable_page(texts),
    ]


@languages
def test_each_page_is_well_formed_and_says_its_language(texts: Texts) -> None:
    for page in every_page(texts):
        read = Read(page)
        assert read.named("html") == [{"lang": texts.language}]
        assert len(read.named("h1")) == len(read.named("main")) == len(read.named("title")) == 1
        assert "{" not in "".join(read.texts)
        levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
        assert set(levels) <= {1, 2}


@languages
def test_no_page_has_a_script_or_fetches_anything(texts: Texts) -> None:
    for page in every_page(texts):
        names = {tag for tag, _ in Read(page).elements}
        assert not names & {"script", "img", "link", "iframe", "object", "input"}
        attributes = {name for _, given in Read(page).elements for name in given}
        assert not {name for name in attributes if name.startswith("on") or name in ("style", "src")}


@languages
@kinds
def test_only_a_secret_is_behind_a_button(texts: Texts, kind: str) -> None:
    read = Read(shown(texts, kind))
    fetches = PHONE_KINDS[kind].set_up is SetUp.FETCHES
    forms = [{"method": "post", "action": f"{TOKEN}/show", "autocomplete": "off"}]
    assert read.named("form") == ([] if fetches else forms)
    assert len(read.named("svg")) == int(fetches)
    assert [link["href"] for link in read.named("a")] == ([f"linphone-config:{URL}"] if fetches else [])
    assert (URL in read.texts) == fetches


@languages
@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_becomes_markup(texts: Texts, text: str) -> None:
    page = shown(texts, "linphone", text)
    secret = secret_page(texts, visited("desk", text), Disclosed({Field.DISPLAY_NAME: text}, configuration=text))
    for made in (page, secret):
        assert [tag for tag, _ in Read(made).elements] == [
            tag for tag, _ in Read(made.replace(escaped(text), "x")).elements
        ]
        read = Read(made)
        assert text.replace("\r\n", "\n") in [each.replace("\r\n", "\n") for each in read.texts]
        assert not read.named("script") + read.named("b")


def escaped(text: str) -> str:
    return str(joined(text))


@languages
@pytest.mark.parametrize(("left", "minutes"), [(600.0, 10), (599.0, 9), (61.0, 1), (5.0, 1), (-3.0, 1)])
def test_a_page_says_how_long_its_link_is_valid(texts: Texts, left: float, minutes: int) -> None:
    said = "".join(Read(shown(texts, "desk", left=left)).texts)
    assert re.search(rf"\b{minutes} min\b.* \d\d:\d\d UTC", said)


@languages
@kinds
def test_a_page_says_that_the_call_server_does_not_answer(texts: Texts, kind: str) -> None:
    assert texts.not_live in shown(texts, kind, live=False)
    assert texts.not_live not in shown(texts, kind)


def test_an_attribute_is_escaped_too() -> None:
    assert element("a", "x", href='"><b>', class_="y", aria_label="z") == (
        '<a href="&quot;&gt;&lt;b&gt;" class="y" aria-label="z">x</a>'
    )
