"""What the pages for people say, whatever the language. A language is one value of `Texts`, in a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.provisioning.typed_account import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTexts:
    """What a person does with a phone of one kind."""

    steps: tuple[str, ...]
    """Before the code or the account is shown."""
    then: tuple[str, ...]
    """Once it is shown, or fetched."""
    button: str = ""
    """On the button that shows it; empty for a phone that fetches its configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """All texts in one language. `{…}` is replaced when a page is made."""

    language: str
    """As in HTML's `lang`."""
    title: str
    """`{kind}`: a product's name."""
    phone: str
    """`{label}` and `{extension}`."""
    valid: str
    """`{minutes}`, and `{time}` as hours and minutes."""
    not_live: str
    """The call server does not answer."""
    kinds: Mapping[str, KindTexts]
    """By the name of the kind."""
    kind_titles: Mapping[str, str]
    """Titles of kinds that are no product's name."""
    fields: Mapping[Field, str]

    this_device: str
    open_app: str
    other_device: str
    qr_of_url: str
    no_camera: str
    enter_url: str
    keep_private: str
    qr_of_account: str
    by_hand: str
    shown_once: str
    trouble: str
    trouble_steps: tuple[str, ...]
    next_steps: str
    done: str

    refused: str
    refused_why: str
    refused_well: str
    refused_new: str
    unavailable: str
    unavailable_why: str
