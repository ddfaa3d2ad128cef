"""Each shape that a body is described with is decoded, value by value."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from service.web import routes
from service.web.http.errors import BadArgument
from service.web.openapi.operation import AnyOf

BODIES = {
    operation.body
    for family in routes.families(with_metrics=True).values()
    for operation in family
    if operation.body is not None and issubclass(operation.body.kind, AnyOf)
}
SHAPES = [
    (body, shape) for body in sorted(BODIES, key=lambda body: body.kind.__name__) for shape in body.kind.alternatives
]


def test_there_are_such_bodies() -> None:
    assert {body.kind.__name__ for body in BODIES} == {"LoginBody", "Assignment"}


@pytest.mark.parametrize(("body", "shape"), SHAPES, ids=lambda each: getattr(each, "__name__", ""))
def test_a_described_shape_is_decoded(body: Any, shape: type[msgspec.Struct]) -> None:
    given = {field.encode_name: f"a {field.encode_name}" for field in msgspec.structs.fields(shape)}
    found = body.decode_parsed(given)
    for field in msgspec.structs.fields(shape):
        assert getattr(found, field.name) == given[field.encode_name]
        if field.name != "resume":  # one that is no string counts as absent
            with pytest.raises(BadArgument):
                body.decode_parsed({**given, field.encode_name: 1})
