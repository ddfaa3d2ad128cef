from __future__ import annotations

from service.domain.presence.call_server_index import CallServerIndex


def test_an_extension_is_of_the_call_server_that_it_moved_to_last() -> None:
    index = CallServerIndex()
    index.move("101", None, "main")
    index.move("102", None, "main")
    index.move("101", "main", "branch")
    assert (index.of("main"), index.of("branch")) == ({"102"}, {"101"})


def test_a_call_server_without_extensions_leaves_nothing_behind() -> None:
    index = CallServerIndex()
    index.move("101", None, "main")
    index.move("101", "main", "main")
    index.move("101", "main", None)
    assert not index.of("main")
    assert not index._extensions
