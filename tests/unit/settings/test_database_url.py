"""URLs of PostgreSQL with one host, several, or none."""

from __future__ import annotations

import pytest

from service.settings.database_url import hosts, target

BASE = "postgresql://u@"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("h/d", ["h:5432"]),
        ("h:1/d", ["h:1"]),
        ("h1:1,h2:2/d?target_session_attrs=primary", ["h1:1", "h2:2"]),
        ("h1,h2:2,10.0.0.1/d", ["h1:5432", "h2:2", "10.0.0.1:5432"]),
        ("[::1]:5/d", ["[::1]:5"]),
        ("%2Frun%2Fpostgresql/d", ["/run/postgresql:5432"]),
        ("/d?host=h1,h2", ["h1:5432", "h2:5432"]),
        ("/d?host=h1,h2&port=1", ["h1:1", "h2:1"]),
        ("/d?host=h1,h2&port=1,2", ["h1:1", "h2:2"]),
        ("/d?host=/run/postgresql", ["/run/postgresql:5432"]),
        ("/d", []),
    ],
)
def test_the_hosts_of_a_url(url: str, wanted: list[str]) -> None:
    assert [str(host) for host in hosts(BASE + url)] == wanted


@pytest.mark.parametrize(
    "url", ["h:x/d", "h:0/d", "h:65536/d", "h,/d", ",h/d", "a:b:1/d", "/d?host=a,b&port=1,2,3", "/d?host=a&port=x"]
)
def test_what_can_be_no_host_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        hosts(BASE + url)


@pytest.mark.parametrize("wanted", ["primary", "read-write"])
def test_the_primary_is_wanted_unless_the_url_asks_for_who_can_write(wanted: str) -> None:
    assert target(f"{BASE}h/d?target_session_attrs={wanted}") == wanted
    assert target(f"{BASE}h/d") == "primary"


@pytest.mark.parametrize("wanted", ["standby", "any", "prefer-standby", "read-only", "x"])
def test_a_standby_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="primary or read-write"):
        target(f"{BASE}h/d?target_session_attrs={wanted}")
