"""Plans: what an import changes, and that a second one changes nothing."""

from __future__ import annotations

import random
from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.imports.plan import (
    ExistingExtension,
    ExistingPhone,
    Plan,
    PlannedExtension,
    Stored,
    plan_import,
    refuse_foreign_source,
    refuse_mass_removal,
)
from service.domain.imports.source import Skipped, Source, SourcePhone
from service.domain.models import Profile
from service.errors import Refused

EMPTY = Stored({}, {})
OLD = "a secret"


def phone(number: str, endpoint: str = "", secret: str = OLD) -> SourcePhone:
    return SourcePhone(number, endpoint or number, endpoint or number, secret)


def source(*phones: SourcePhone, watched: tuple[str, ...] = (), skipped: tuple[str, ...] = ()) -> Source:
    return Source(
        phones=phones,
        numbers=frozenset((*(one.number for one in phones), *watched)),
        skipped=tuple(Skipped(name, "no inbound auth: a trunk") for name in skipped),
        endpoints=frozenset((*(one.endpoint for one in phones), *skipped)),
    )


def applied(plan: Plan, stored: Stored, *, remove: bool = False) -> Stored:
    """What is stored after the plan: a model of what PostgreSQL does."""
    phones, extensions = {**stored.phones}, {**stored.extensions}
    for new in plan.new_extensions:
        extensions[new.number] = ExistingExtension(new.number, new.local_number)
    for one in (*plan.new_phones, *plan.changed_secrets, *plan.other_changes):
        missing = one.endpoint in phones and phones[one.endpoint].missing
        phones[one.endpoint] = ExistingPhone(
            one.endpoint, one.extension, one.auth_username, one.secret, one.profile, missing
        )
    for endpoint in plan.newly_missing:
        phones[endpoint] = replace(phones[endpoint], missing=True)
    for endpoint in plan.returned:
        phones[endpoint] = replace(phones[endpoint], missing=False)
    if remove:
        for gone in plan.gone_phones:
            del phones[gone.endpoint]
        for number in plan.gone_extensions:
            del extensions[number]
    return replace(stored, phones=phones, extensions=extensions)


def imported(*phones: SourcePhone, prefix: str | None = None, watched: tuple[str, ...] = ()) -> Stored:
    return applied(plan_import(source(*phones, watched=watched), EMPTY, prefix), EMPTY)


def test_a_first_import_is_new() -> None:
    plan = plan_import(source(phone("1001"), phone("1001", "991001"), watched=("1003",), skipped=("trunk",)), EMPTY)
    assert plan.new_extensions == (PlannedExtension("1001", "1001"), PlannedExtension("1003", "1003"))
    assert [one.endpoint for one in plan.new_phones] == ["1001", "991001"]
    assert plan.skipped == (Skipped("trunk", "no inbound auth: a trunk"),)
    assert not plan.is_empty


def test_changed_secrets_and_other_changes_are_told_apart() -> None:
    stored = imported(phone("1001"), phone("1002"), phone("1003"))
    plan = plan_import(
        source(phone("1001", secret="new"), replace(phone("1002"), auth_username="login"), phone("1003")), stored
    )
    assert [(one.endpoint, one.changes) for one in plan.changed_secrets] == [("1001", ("secret",))]
    assert [(one.endpoint, one.changes) for one in plan.other_changes] == [("1002", ("auth_username",))]
    assert plan.unchanged == 1


def test_what_is_gone_is_marked_and_unmarked_on_its_return() -> None:
    stored = imported(phone("1001"), phone("1002"))
    plan = plan_import(source(phone("1001")), stored)
    assert ([one.endpoint for one in plan.gone_phones], plan.gone_extensions) == (["1002"], ("1002",))
    assert plan.newly_missing == ("1002",)
    without = applied(plan, stored)
    assert without.phones["1002"].missing
    again = plan_import(source(phone("1001")), without)
    assert again.is_empty
    assert [one.endpoint for one in again.gone_phones] == ["1002"]
    back = plan_import(source(phone("1001"), phone("1002")), without)
    assert back.returned == ("1002",)


def test_a_phone_that_the_source_has_but_cannot_use_is_marked_and_never_removed() -> None:
    stored = imported(phone("1001"), phone("1002"))
    plan = plan_import(source(phone("1001"), skipped=("1002",)), stored)
    assert (plan.newly_missing, plan.gone_phones, plan.gone_extensions) == (("1002",), (), ())


def test_an_extension_stays_while_the_source_watches_it_without_a_phone() -> None:
    stored = imported(phone("1001"), phone("1002"))
    plan = plan_import(source(phone("1001"), watched=("1002",)), stored)
    assert ([one.endpoint for one in plan.gone_phones], plan.gone_extensions) == (["1002"], ())


def test_a_phone_that_changes_its_extension_leaves_the_former_one_gone() -> None:
    stored = imported(phone("1005", "alice"))
    plan = plan_import(source(phone("1006", "alice")), stored)
    assert [(one.endpoint, one.extension, one.changes) for one in plan.moved] == [("alice", "1006", ("extension",))]
    assert (plan.new_extensions, plan.gone_extensions) == ((PlannedExtension("1006", "1006"),), ("1005",))


def test_a_source_without_phones_says_nothing_of_any_phone() -> None:
    stored = imported(phone("1001"))
    plan = plan_import(replace(source(watched=("1002",)), lists_phones=False), stored)
    assert (plan.gone_phones, plan.newly_missing, plan.gone_extensions) == ((), (), ())
    assert plan.new_extensions == (PlannedExtension("1002", "1002"),)


def test_a_number_of_another_call_server_is_skipped() -> None:
    stored = replace(EMPTY, elsewhere={"1001": "berlin"})
    plan = plan_import(source(phone("1001"), phone("1002"), watched=()), stored)
    assert plan.skipped == (Skipped("1001", "its number 1001 belongs to call server berlin: use --prefix"),)
    assert [one.endpoint for one in plan.new_phones] == ["1002"]
    watched = plan_import(source(watched=("1001",)), stored)
    assert [one.subject for one in watched.skipped] == ["1001"]
    assert not watched.new_extensions


def test_a_prefix_stands_before_the_number_and_not_the_endpoint() -> None:
    stored = replace(EMPTY, elsewhere={"1001": "berlin"})
    plan = plan_import(source(phone("1001")), stored, "8")
    assert plan.new_extensions == (PlannedExtension("81001", "1001"),)
    assert (plan.new_phones[0].extension, plan.new_phones[0].endpoint) == ("81001", "1001")


def test_the_prefix_is_remembered_and_a_second_one_refused() -> None:
    stored = imported(phone("1001"), prefix="8")
    plan = plan_import(source(phone("1001"), phone("1002")), stored)
    assert plan.new_extensions == (PlannedExtension("81002", "1002"),)
    assert plan.unchanged == 1
    for wrong in ("9", ""):
        with pytest.raises(Refused, match="have the prefix '8'"):
            plan_import(source(phone("1001")), stored, wrong)
    with pytest.raises(Refused, match="have no prefix"):
        plan_import(source(phone("1001")), imported(phone("1001"), prefix=""), "9")


@pytest.mark.parametrize("prefix", ["8 ", "ü", "8.", "8" * 41])
def test_a_prefix_is_made_of_what_numbers_are_made_of(prefix: str) -> None:
    with pytest.raises(Refused, match="a prefix is 1 to 40 of"):
        plan_import(source(phone("1001")), EMPTY, prefix)


def test_a_number_that_the_prefix_makes_too_long_is_skipped() -> None:
    plan = plan_import(source(phone("1" * 37)), EMPTY, "8888")
    assert plan.skipped[0].reason.endswith("would have more than 40 characters")
    assert not plan.new_extensions


@pytest.mark.parametrize(("there", "gone", "refused"), [(10, 1, False), (10, 2, True), (100, 10, False), (5, 1, True)])
def test_more_than_a_tenth_is_not_removed_at_once(there: int, gone: int, refused: bool) -> None:
    phones = [phone(str(1000 + number)) for number in range(there)]
    stored = imported(*phones)
    plan = plan_import(source(*phones[gone:]), stored)
    if refused:
        with pytest.raises(Refused, match=f"would remove {gone} of {there} phones, more than 10%"):
            refuse_mass_removal(plan, stored)
    else:
        refuse_mass_removal(plan, stored)


@pytest.mark.parametrize(
    ("there", "listed", "refused"),
    [
        (10, ["other"], True),
        (9, ["other"], False),  # a small PBX may have been renamed
        (10, ["other", "1000"], False),
        (1, [], True),
        (0, [], False),
        (0, ["other"], False),
    ],
)
def test_a_source_of_another_call_server_marks_nothing(there: int, listed: list[str], refused: bool) -> None:
    stored = applied(plan_import(source(*(phone(str(1000 + n)) for n in range(there))), EMPTY), EMPTY)
    given = source(*map(phone, listed))
    plan = plan_import(given, stored)
    with pytest.raises(Refused, match=f"the {there} stored phones") if refused else nullcontext():
        refuse_foreign_source(plan, stored, given)


def test_no_secret_is_in_the_repr_of_a_plan() -> None:
    plan = plan_import(source(phone("1001", secret="hunter2")), imported(phone("1001", secret="hunter1")))
    assert "hunter" not in repr(plan)


NUMBERS = [str(number) for number in range(1, 9)]
ENDPOINTS = [*NUMBERS, "alice", "bob", "991"]


@st.composite
def sources(draw: st.DrawFn) -> Source:
    endpoints = draw(st.sets(st.sampled_from(ENDPOINTS)))
    skipped = {one for one in endpoints if draw(st.integers(0, 4)) == 0}
    phones = [
        SourcePhone(
            draw(st.sampled_from(NUMBERS)),
            one,
            draw(st.sampled_from([one, "login"])),
            draw(st.sampled_from(["s", "t"])),
            draw(st.sampled_from(Profile)),
        )
        for one in sorted(endpoints - skipped)
    ]
    random.Random(draw(st.integers(0, 99))).shuffle(phones)
    return source(*phones, watched=tuple(draw(st.sets(st.sampled_from(NUMBERS)))), skipped=tuple(skipped))


PREFIXES = st.sampled_from([None, "8"])


@given(st.lists(sources(), min_size=1, max_size=4), PREFIXES, st.sets(st.sampled_from(NUMBERS)), st.booleans())
def test_after_any_imports_the_last_source_is_what_is_stored(
    history: list[Source], prefix: str | None, elsewhere: set[str], remove: bool
) -> None:
    stored = replace(EMPTY, elsewhere=dict.fromkeys(elsewhere, "berlin"))
    for one in history:
        before = stored
        plan = plan_import(one, stored, prefix)
        shuffled = replace(one, phones=one.phones[::-1], skipped=one.skipped[::-1])
        assert plan_import(shuffled, stored, prefix) == plan
        stored = applied(plan, stored, remove=remove)
        if not remove:
            assert before.phones.keys() <= stored.phones.keys()
            assert before.extensions.keys() <= stored.extensions.keys()
    last = history[-1]
    usable = {one.endpoint: one for one in last.phones if (prefix or "") + one.number not in elsewhere}
    assert {endpoint for endpoint, one in stored.phones.items() if not one.missing} == usable.keys()
    for endpoint, wanted in usable.items():
        kept = stored.phones[endpoint]
        assert (kept.secret, kept.auth_username, kept.profile) == (wanted.secret, wanted.auth_username, wanted.profile)
        assert kept.extension == (prefix or "") + wanted.number
        assert stored.extensions[kept.extension].local_number == wanted.number
    assert not stored.extensions.keys() & elsewhere
    assert {one.extension for one in stored.phones.values()} <= stored.extensions.keys()
    again = plan_import(last, stored, prefix)
    assert again.is_empty
    if remove:
        assert (again.gone_phones, again.gone_extensions) == ((), ())
        assert stored.phones.keys() <= last.endpoints
