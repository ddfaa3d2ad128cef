"""Which endpoints are phones, and of which extensions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.hints import parse_hint
from service.domain.imports.endpoints import DialplanHint, Endpoint, EndpointAuth, caller_name, read_source
from service.domain.imports.source import Source, SourcePhone
from service.domain.models import Profile
from service.errors import Refused

AUTH = EndpointAuth("a", "userpass", "login", "a-secret-of-sip")


def endpoint(name: str, **values: object) -> Endpoint:
    return replace(Endpoint(name, ("a",), (AUTH,), (name,)), **values)  # type: ignore[arg-type]


def hint(number: str, devices: str, context: str = "office") -> DialplanHint:
    return DialplanHint(number, context, parse_hint(devices).counted)


def numbers(source: Source) -> dict[str, str]:
    return {phone.endpoint: phone.number for phone in source.phones}


def reason(one: Endpoint, *hints: DialplanHint) -> str:
    """Why this endpoint is skipped."""
    source = read_source([one], hints)
    assert not source.phones
    (skipped,) = source.skipped
    assert skipped.subject == one.name
    assert source.endpoints == {one.name}
    return skipped.reason


def test_an_endpoint_without_a_hint_has_its_own_name_as_number() -> None:
    source = read_source([endpoint("1001", webrtc=True)], [])
    assert source.phones == (SourcePhone("1001", "1001", "login", "a-secret-of-sip", Profile.WEBRTC),)
    assert source.numbers == {"1001"}


def test_a_hint_makes_an_endpoint_a_phone_of_its_number() -> None:
    hints = [hint("1005", "PJSIP/alice"), hint("1001", "PJSIP/1001&PJSIP/991001&Custom:DND1001")]
    source = read_source([endpoint(name) for name in ("alice", "1001", "991001")], hints)
    assert numbers(source) == {"alice": "1005", "1001": "1001", "991001": "1001"}


def test_the_technology_of_a_hint_may_have_any_case() -> None:
    assert numbers(read_source([endpoint("alice")], [hint("1005", "pjsip/alice")])) == {"alice": "1005"}


def test_a_number_that_several_endpoints_share_is_not_the_own_number_of_one_that_has_another() -> None:
    hints = [hint("1100", "PJSIP/alice&PJSIP/bob"), hint("1005", "PJSIP/alice")]
    assert numbers(read_source([endpoint("alice"), endpoint("bob")], hints)) == {"alice": "1005", "bob": "1100"}


def test_the_name_decides_among_several_hints() -> None:
    hints = [hint("1005", "PJSIP/1001"), hint("1001", "PJSIP/1001&PJSIP/x")]
    assert numbers(read_source([endpoint("1001")], hints)) == {"1001": "1001"}


def test_several_numbers_are_ambiguous_unless_the_context_decides() -> None:
    hints = [hint("1005", "PJSIP/alice"), hint("2005", "PJSIP/alice", "warehouse")]
    assert reason(endpoint("alice"), *hints).startswith("hints give it several numbers: 1005, 2005")
    assert numbers(read_source([endpoint("alice")], hints, "warehouse")) == {"alice": "2005"}


def test_a_context_without_hints_is_refused_while_another_one_names_endpoints() -> None:
    with pytest.raises(Refused, match=r"HINT_CONTEXT is ofice, .* hints of endpoints are in: office$"):
        read_source([endpoint("alice")], [hint("1005", "PJSIP/alice"), hint("700", "park:700", "parking")], "ofice")
    assert numbers(read_source([endpoint("1001")], [hint("700", "park:700", "parking")], "office")) == {"1001": "1001"}
    assert numbers(read_source([endpoint("1001")], [], "office")) == {"1001": "1001"}


def test_an_endpoint_is_not_the_number_of_a_hint_that_names_other_devices() -> None:
    assert reason(endpoint("1005"), hint("1005", "PJSIP/alice")) == "the hint of 1005 names other devices"
    assert numbers(read_source([endpoint("1005")], [hint("1005", "Custom:DND1005")])) == {"1005": "1005"}


@pytest.mark.parametrize("number", ["*761005", "_2XXX", "10 05", "1" * 41, "büro"])
def test_a_hint_whose_number_cannot_be_an_extension_is_ignored(number: str) -> None:
    assert numbers(read_source([endpoint("alice")], [hint(number, "PJSIP/alice")])) == {"alice": "alice"}


@pytest.mark.parametrize("devices", ["SIP/1003", "IAX2/1007", "sip/1003&Custom:DND1003"])
def test_a_number_of_other_technologies_is_an_extension_without_a_phone(devices: str) -> None:
    source = read_source([], [hint("1003", devices)])
    assert not source.phones
    assert source.numbers == {"1003"}


@pytest.mark.parametrize("devices", ["Custom:DND1003", "park:701@parkedcalls", "PJSIP/gone", "SIP/1003&PJSIP/gone", ""])
def test_other_hints_are_no_extensions(devices: str) -> None:
    assert read_source([], [hint("1003", devices)]).numbers == frozenset()


MD5 = EndpointAuth("a", "md5", "login", "", has_digest=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"auth_names": (), "auths": ()}, "no inbound auth: a trunk"),
        ({"auths": ()}, "its auth a does not exist"),
        ({"auth_names": ("a", "b")}, "several inbound auths"),
        ({"auths": (MD5,)}, "Asterisk knows only a digest (MD5) of its secret"),
        ({"auths": (replace(MD5, password="left-behind"),)}, "Asterisk knows only a digest (MD5) of its secret"),
        ({"auths": (replace(MD5, type="digest"),)}, "Asterisk knows only a digest (MD5) of its secret"),
        ({"auths": (replace(MD5, type="userpass"),)}, "Asterisk knows only a digest (MD5) of its secret"),
        ({"auths": (replace(AUTH, type="google_oauth"),)}, "its auth is of type google_oauth"),
        ({"auths": (replace(AUTH, password=""),)}, "its secret is empty"),
        ({"auths": (replace(AUTH, password="s" * 81),)}, "its secret has more than 80 characters"),
        ({"auths": (replace(AUTH, password="se\x07cret"),)}, "its secret has characters that cannot be printed"),
        ({"auths": (replace(AUTH, password="se\ufffdcret"),)}, "its secret is not in UTF-8"),
        ({"auths": (replace(AUTH, username=""),)}, "the username of its auth is empty"),
        ({"aors": ()}, "it has no AOR of its own name, at which a phone could register"),
        ({"aors": ("other",)}, "it has no AOR of its own name, at which a phone could register"),
    ],
)
def test_an_endpoint_that_is_no_phone_is_skipped_with_the_reason(values: dict[str, object], expected: str) -> None:
    assert reason(endpoint("1001", **values)) == expected


@pytest.mark.parametrize("name", ["büro", "a b", "a/b", "", "x" * 81, "a\ufffd"])
def test_a_name_that_is_not_allowed_is_skipped(name: str) -> None:
    assert reason(endpoint(name)) == "its name is not allowed: 1 to 80 of A-Z a-z 0-9 _ . + -"


def test_a_name_that_is_no_number_needs_a_hint() -> None:
    assert reason(endpoint("kitchen.2")) == "no hint gives it a number, and its name cannot be one"
    assert numbers(read_source([endpoint("kitchen.2")], [hint("1008", "PJSIP/kitchen.2")])) == {"kitchen.2": "1008"}


def test_a_plain_secret_of_type_userpass_counts_though_a_digest_is_there_too() -> None:
    assert read_source([endpoint("1001", auths=(replace(AUTH, has_digest=True),))], []).phones


@pytest.mark.parametrize(
    ("caller_id", "name"),
    [
        ('"Ada Byron" <1001>', "Ada Byron"),
        ('"Jürgen \\"JJ\\" O\'Neil" <1002>', 'Jürgen "JJ" O\'Neil'),
        ("Zoë, Sales <1003>", "Zoë, Sales"),
        ('"Back\\\\slash" <1>', "Back\\slash"),
        ("<unknown>", None),
        ('"" <1001>', None),
        ("1001", None),
        ("", None),
        ('"\x07" <1>', None),
        ('"' + "n" * 300 + '" <1>', "n" * 200),
    ],
)
def test_the_name_of_a_caller_id(caller_id: str, name: str | None) -> None:
    assert caller_name(caller_id) == name


def test_the_person_is_named_by_the_endpoint_of_the_number() -> None:
    hints = [hint("1001", "PJSIP/0991001&PJSIP/1001")]
    pair = [endpoint("0991001", caller_id='"Twin" <1001>'), endpoint("1001", caller_id='"Ada" <1001>')]
    for endpoints in (pair, pair[::-1]):
        assert read_source(endpoints, hints).people["1001"].fullname == "Ada"


def test_no_secret_is_in_the_repr_of_a_source() -> None:
    source = read_source([endpoint("1001")], [])
    assert "a-secret-of-sip" not in f"{source!r} {endpoint('1001')!r}"
