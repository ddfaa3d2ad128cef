"""People of an import: whom it creates and assigns, and that nobody is merged or loses an extension."""

from __future__ import annotations

from service.domain.imports.people import KnownPerson, PeoplePlan, PersonOf, plan_people, wanted_people
from service.domain.imports.plan import ExistingExtension, Stored, plan_import
from service.domain.imports.source import Skipped, Source, SourcePerson

ADA = PersonOf("1001", "ada", "Ada Byron", "ada@example.com")


def known(name: str = "Ada", *, active: bool = True, extension: str | None = None) -> dict[str, KnownPerson]:
    return {name.lower(): KnownPerson(7, name, active, extension)}


def test_a_person_is_named_by_the_source_or_else_by_the_stored_number() -> None:
    source = Source(
        (), frozenset({"1", "2", "3"}), people={"1": SourcePerson("ada", "Ada", "a@x"), "3": SourcePerson()}
    )
    stored = Stored({}, {"83": ExistingExtension("83", "3", user_id=5)})
    wanted = wanted_people(source, plan_import(source, stored, "8"), stored)
    assert wanted == (PersonOf("81", "ada", "Ada", "a@x"), PersonOf("82", "82"))


def test_who_is_not_there_is_created() -> None:
    assert plan_people([ADA], {}, {}) == PeoplePlan(new=(ADA,))


def test_who_is_there_without_an_extension_is_assigned_in_any_spelling() -> None:
    plan = plan_people([PersonOf("1001", "ADA", email="other@example.com")], known(), {})
    assert plan.assigned == (PersonOf("1001", "Ada", user_id=7),)


def test_who_has_an_extension_keeps_it() -> None:
    plan = plan_people([ADA], known(extension="1009"), {})
    assert plan == PeoplePlan(skipped=(Skipped("1001", "Ada has extension 1009 already"),))


def test_a_deactivated_person_is_not_assigned() -> None:
    assert plan_people([ADA], known(active=False), {}).skipped == (Skipped("1001", "Ada is deactivated"),)


def test_equal_names_of_the_source_are_not_merged() -> None:
    plan = plan_people([PersonOf("1", "σοφος"), PersonOf("2", "ΣΟΦΟΣ"), PersonOf("3", "c")], {}, {})
    assert [one.extension for one in plan.new] == ["3"]
    assert [one.subject for one in plan.skipped] == ["1", "2"]


def test_an_email_belongs_to_one_person() -> None:
    assert plan_people([ADA], {}, {"ada@example.com": "bob"}).skipped == (
        Skipped("1001", "ada@example.com is the e-mail of bob"),
    )
    plan = plan_people([ADA, PersonOf("1002", "bob", email="ADA@example.com")], {}, {})
    assert [one.reason.partition(" for ")[2] for one in plan.skipped] == ["several people", "several people"]
