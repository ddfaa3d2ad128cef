"""Hints: what of a hint's text is a device and what a presence, in Asterisk's own reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.hints import ParsedHint, normalise_device, parse_hint

FREEPBX = "PJSIP/1001&PJSIP/991001&Custom:DND1001,CustomPresence:1001"


def test_freepbx_gives_a_number_two_phones_a_custom_device_and_a_presence() -> None:
    hint = parse_hint(FREEPBX)
    assert hint == ParsedHint(("PJSIP/1001", "PJSIP/991001", "Custom:DND1001"), "1001")
    assert hint.counted == ("PJSIP/1001", "PJSIP/991001")


@pytest.mark.parametrize(
    ("text", "devices", "presence"),
    [
        ("", (), None),
        (",CustomPresence:1009", (), "1009"),
        ("PJSIP/1,CustomPresence:", ("PJSIP/1",), None),
        ("PJSIP/1,custompresence:Ada", ("PJSIP/1",), "Ada"),
        ("PJSIP/1,SomeOther:1", ("PJSIP/1",), None),
        ("PJSIP/1,CustomPresence:a,b", ("PJSIP/1",), "a,b"),
        ("PJSIP/1&&PJSIP/2&", ("PJSIP/1", "PJSIP/2"), None),
        ("PJSIP/1&pjsip/1&PJSIP/1", ("PJSIP/1",), None),
        ("nonsense", ("nonsense",), None),
        # Asterisk cuts at every `&` and strips nothing: measured, neither of these two devices exists for it.
        ("PJSIP/1 & Custom:DND1", ("PJSIP/1 ", " Custom:DND1"), None),
    ],
)
def test_a_text_is_cut_as_asterisk_cuts_it(text: str, devices: tuple[str, ...], presence: str | None) -> None:
    assert parse_hint(text) == ParsedHint(devices, presence)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("pjsip/Alice", "PJSIP/Alice"),
        ("Pjsip/alice", "PJSIP/alice"),
        ("sip/1003", "SIP/1003"),
        ("iax2/1007", "IAX2/1007"),
        ("dahdi/1", "DAHDI/1"),
        ("LOCAL/1@x/n", "Local/1@x/n"),
        ("custom:DND1", "Custom:DND1"),
        ("Custom:a/B", "Custom:a/B"),
        ("park:701@lot/x", "park:701@lot/x"),
        ("Queue:q_pause_pjsip/1", "Queue:q_pause_pjsip/1"),
        ("PJSIP/", "PJSIP/"),
        ("/", "/"),
    ],
)
def test_a_technology_counts_in_any_case_and_a_name_only_in_its_own(name: str, normal: str) -> None:
    assert normalise_device(name) == normal


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    hint = parse_hint(text)
    assert len(set(hint.devices)) == len(hint.devices)
    assert "" not in hint.devices
    assert hint.counted == tuple(device for device in hint.devices if not device.startswith("Custom:"))


@given(st.text())
def test_a_normal_name_is_normal(name: str) -> None:
    assert normalise_device(normalise_device(name)) == normalise_device(name)
