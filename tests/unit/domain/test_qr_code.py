"""QR codes hold the text that they were made of, and need nothing of a Content-Security-Policy."""

from __future__ import annotations

import re

import pytest

from service.domain.qr_code import qr_lines, qr_svg
from tests.support import qr_reader

LINK = "https://phone.example.com/p/AbCdEfGh-JkLmNoPqRsTuVw_yZ012345/linphone.xml"


@pytest.mark.parametrize("text", [LINK, "https://a.example", LINK + "?" + "x" * 120, "Müller"])
def test_a_code_holds_its_text_on_a_page_and_on_a_terminal(text: str) -> None:
    assert qr_reader.read_svg(qr_svg(text)) == text
    assert qr_reader.read_lines(qr_lines(text)) == text


def test_another_text_is_another_code() -> None:
    assert qr_reader.read_svg(qr_svg(LINK[:-1] + "k")) != LINK


def test_an_svg_has_no_style_no_script_and_a_light_ground() -> None:
    drawn = qr_svg(LINK)
    assert set(re.findall(r"<(\w+)", drawn)) == {"svg", "path"}
    assert set(re.findall(r'(\w+)="', drawn)) <= {"xmlns", "viewBox", "d", "fill", "stroke"}
    assert 'fill="#fff"' in drawn
