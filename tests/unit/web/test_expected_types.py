"""What is wrong with a field is told in words, for every field that there is."""

from __future__ import annotations

import msgspec
import pytest
from multidict import MultiDict

from service.web.http.errors import FieldsWrong
from service.web.http.param_errors import FieldByField
from service.web.http.params import Body
from service.web.users.change_schemas import NewUser, UserChanges
from service.web.users.schemas import USER_LIST, UserListQuery

NOTHING = object()


@pytest.mark.parametrize("kind", [NewUser, UserChanges])
def test_each_field_of_a_body_says_what_it_may_be(kind: type[msgspec.Struct]) -> None:
    given = {field.encode_name: NOTHING for field in msgspec.structs.fields(kind)}
    with pytest.raises(FieldsWrong) as caught:
        Body(kind, FieldByField).decode_parsed(given)
    told = caught.value.fields
    assert set(told) == given.keys() - {"client", "agent"}, "these two may be anything"
    assert told["user_type"] == ["one of admin, agent, client is required"]
    assert told["default_billing_decimal"] == ["a whole number from 0 to 2147483647 is required"]
    assert told["cdr_expire"] == ["an RFC 3339 time with its zone or null is required"]
    assert told["auth_ip"] == ["a list of strings is required"]


def test_each_argument_of_a_query_says_what_it_may_be() -> None:
    query = MultiDict({field.encode_name: "\u0663" for field in msgspec.structs.fields(UserListQuery)})
    with pytest.raises(FieldsWrong) as caught:
        USER_LIST.decode_parsed(query)
    assert set(caught.value.fields) == set(query) - {"search"}, "any text can be searched for"
    assert caught.value.fields["active"] == ["one of false, true is required"]
    assert caught.value.fields["per_page"] == ["a whole number from 1 to 200 is required"]
