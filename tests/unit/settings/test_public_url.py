"""`CONNECTOR_PUBLIC_URL`: links hold secrets, so they begin with https, except on the machine itself."""

from __future__ import annotations

import pytest

from service.settings import hosts


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://phone.example.com", "https://phone.example.com"),
        ("https://phone.example.com/", "https://phone.example.com"),
        ("https://example.com:8443/phones/", "https://example.com:8443/phones"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_links_begin_with(text: str, kept: str) -> None:
    assert hosts.public_url(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "phone.example.com",
            "https://",
            "https:///p",
            "ftp://phone.example.com",
            "https://user@phone.example.com",
        ),
        *("https://phone.example.com?x=1", "https://phone.example.com/p?x", "https://phone.example.com/#p"),
        *("https://phone.example.com/\r\nX: y", "https://PHONE.example.com", "https://phone.example.com:443"),
        *("http://phone.example.com", "http://10.0.0.1:8080", "http://localhost.example.com", "null", "https://a b"),
    ],
)
def test_others_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - without the text
        hosts.public_url(text)
