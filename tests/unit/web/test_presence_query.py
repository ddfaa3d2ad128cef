"""A cached or plain query decodes to what any other query decodes to, and only what pollers repeat is cached."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import MultiDict

from service.web.http.errors import BadArgument
from service.web.http.params import LONGEST_CACHED
from service.web.presence.decoders import PRESENCE
from service.web.presence.schemas import PresenceQuery
from service.web.softphone.registration import REGISTRATION

NAMES = st.sampled_from(["extension", "userId", "since", "wait", "id", "%65xtension", "exten", "ticket", ""])
VALUES = st.one_of(
    st.text(max_size=6).map(lambda text: quote(text.encode("utf-8", "surrogatepass"))),
    st.text(st.sampled_from("0a,+ %&=;[]\u0663é"), max_size=6),
)
QUERIES = st.lists(st.tuples(NAMES, VALUES).map("=".join), max_size=5).map("&".join)


@pytest.mark.parametrize(
    ("text", "asked", "is_cached"),
    [
        ("", PresenceQuery(), True),
        ("extension=1,2&extension=3", PresenceQuery(["1", "2", "3"]), True),
        ("userId=a&extension=%31", PresenceQuery(["1"], ["a"]), True),
        ("extension=1&since=x", PresenceQuery(["1"], since="x"), False),
        ("%73ince=x&since=y", PresenceQuery(since="x"), False),
        ("extension=&userId=,", PresenceQuery(), True),
        ("extension=,1,,%202+,3", PresenceQuery(["1", "2", "3"]), True),
        ("wait=1", PresenceQuery(wait=1.0), False),
        ("extension=1&ticket=secret", PresenceQuery(["1"]), False),
        (f"extension={'1' * LONGEST_CACHED}", PresenceQuery(["1" * LONGEST_CACHED]), False),
    ],
)
def test_a_query_is_decoded_once_if_it_is_repeated(text: str, asked: PresenceQuery, is_cached: bool) -> None:
    PRESENCE.clear()
    request = make_mocked_request("GET", f"/api/v1/presence?{text}")
    assert [PRESENCE.decode(request), PRESENCE.decode(request)] == [asked] * 2
    assert PRESENCE.cached == is_cached


@settings(deadline=None)
@given(QUERIES)
def test_a_cached_query_decodes_to_the_same_as_any_other(text: str) -> None:
    request = make_mocked_request("GET", f"/api/v1/presence?{text}")
    assert _told(lambda: PRESENCE.decode(request)) == _told(lambda: PRESENCE.decode_parsed(request.query))


@settings(deadline=None)
@given(st.one_of(QUERIES, VALUES.map("id={}".format), st.from_regex(r"id=[A-Za-z0-9]{1,20}", fullmatch=True)))
def test_a_plain_query_decodes_to_the_same_as_any_other(text: str) -> None:
    request = make_mocked_request("GET", f"/registration?{text}")
    plain = REGISTRATION.decode_plain(request)
    assert plain is None or plain == REGISTRATION.decode_parsed(request.query, {})


def test_a_poll_of_a_uid_is_plain() -> None:
    request = make_mocked_request("GET", "/registration?id=ByehQjC44FwMeiLbX")
    assert REGISTRATION.decode_plain(request) == REGISTRATION.decode_parsed(MultiDict(id="ByehQjC44FwMeiLbX"), {})


def _told(decode: Any) -> Any:
    try:
        return decode()
    except BadArgument as error:
        return str(error)
