"""Each reason for an unknown state, or for a phone that does not answer, follows from its facts."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.contacts import Contact
from service.domain.device_states import Freshness
from service.domain.models import Credentials, DeviceState
from service.domain.status.facts import (
    DeviceFacts,
    DeviceTrouble,
    ExtensionFacts,
    HintFacts,
    LinkCondition,
    LinkFailure,
    PresenceConnectionCondition,
    Trouble,
)
from service.domain.status.link_reasons import find_link_reason, find_presence_reason
from service.domain.status.reason import ReasonCode
from service.domain.status.reasons import find_reason
from tests.support.command_line import ROOT

MOMENT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LIVE = LinkCondition(call_server="main", freshness=Freshness.LIVE)
ANSWERS = Contact("sip:1@192.0.2.7", reachable=True, address="192.0.2.7:5060")
GONE = replace(ANSWERS, reachable=False)
OFF = DeviceState.UNAVAILABLE
MISSED = DeviceTrouble(Trouble.UNKNOWN_TO_ASTERISK)


def device(
    state: DeviceState | None,
    contacts: tuple[Contact, ...] | None = None,
    name: str = "PJSIP/1001",
    trouble: DeviceTrouble | None = None,
    missing: bool = False,
) -> DeviceFacts:
    return DeviceFacts(device=name, state=state, contacts=contacts, trouble=trouble, missing=missing)


def facts(*devices: DeviceFacts, link: LinkCondition | None = LIVE, **values: object) -> ExtensionFacts:
    fields = {
        "number": "1001",
        "local_number": "1001",
        "call_server": "main",
        "link": link,
        "devices": devices,
        **values,
    }
    return ExtensionFacts(**fields)  # type: ignore[arg-type]


def down(failure: LinkFailure | None, why: str | None = "why it ended", remedy: str | None = None) -> LinkCondition:
    return LinkCondition(
        call_server="main", freshness=Freshness.DISCONNECTED, why_ended=why, failure=failure, remedy=remedy
    )


READY = device(DeviceState.NOT_INUSE, (ANSWERS,))
IMPORTED: dict[str, Any] = {"credentials": Credentials.IMPORTED}
REFUSED = "AMI refuses PJSIPQualify: Permission denied"
CASES = [
    (facts(link=None), "call-server-not-in-settings", "call server main", "CONNECTOR_CALL_SERVERS__MAIN__HOST"),
    (facts(READY, enabled=False), "extension-disabled", "disabled", "extension enable 1001"),
    (facts(READY, inactive_user="alice"), "user-inactive", "user alice", "user activate name:alice"),
    (facts(READY, inactive_user="O'Hara; x"), "user-inactive", "O'Hara; x", """activate 'name:O'"'"'Hara; x'"""),
    (facts(READY, unreadable_user=7), "user-unreadable", "row of its user 7", "directory_row_unreadable"),
    (facts(READY, directory_unusable_since=MOMENT), "directory-stale", "2026-11-22T09:30:00.000Z", "PostgreSQL"),
    (
        facts(READY, link=down(LinkFailure.UNREACHABLE, "AMI at x:1 is out of reach", "nothing listens there")),
        "call-server-unreachable", "AMI at x:1 is out of reach.", "Nothing listens there.",
    ),
    (
        facts(READY, link=down(LinkFailure.LOGIN_REFUSED)),
        "login-refused", "Why it ended.", "CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET",
    ),
    (facts(READY, link=down(LinkFailure.CLASS_MISSING)), "class-missing", "Why it ended.", "service check"),
    (facts(READY, link=down(LinkFailure.ENDED)), "link-down", "Why it ended.", "reconnects by itself"),
    (facts(READY, link=down(None, None)), "link-down", "not connected to main yet", "Ask again"),
    (
        facts(READY, link=replace(down(None, None), freshness=Freshness.NO_COLLECTOR)),
        "no-collector", "No collector of main is heard on the bus.", "Look at NATS",
    ),
    (
        facts(READY, link=replace(LIVE, freshness=Freshness.SYNCHRONISING)),
        "synchronising", "first snapshot", "Ask again",
    ),
    (
        facts(READY, link=replace(down(LinkFailure.LOGIN_REFUSED), freshness=Freshness.SYNCHRONISING)),
        "synchronising", "first snapshot", "Ask again",
    ),
    (
        facts(READY, link=replace(down(LinkFailure.CLASS_MISSING), freshness=Freshness.SYNCHRONISING)),
        "class-missing", "Why it ended.", "service check",
    ),
    (facts(READY, link=replace(LIVE, silent_since=MOMENT)), "silent", "2026-11-22T09:30:00.000Z", "recovers by itself"),
    (
        facts(hint=HintFacts(("east", "west"), (), ambiguous=True)),
        "ambiguous-hints", "hints of 1001 in east and west name different devices.", "MAIN__HINT_CONTEXT",
    ),
    (facts(hint=HintFacts(("east",), (), ambiguous=True)), "ambiguous-hints", "reloads its dialplan", "Ask again"),
    (
        facts(hint=HintFacts(("east",), ("Custom:a", "Custom:b", "Custom:c"))),
        "hint-without-device", "only Custom:a, Custom:b and Custom:c, and no phone", "extension import",
    ),
    (
        facts(device(OFF, (), "PJSIP/alice"), phones=("PJSIP/1001",), hint=HintFacts(("east",), ("PJSIP/alice",))),
        "other-device", "in east names PJSIP/alice, and not PJSIP/1001, which is stored as its phone. No phone is",
        "Correct the hint",
    ),
    (
        facts(device(OFF, ()), phones=("PJSIP/1001",), hint=HintFacts(("east",), ("PJSIP/1001",))),
        "not-registered", "endpoint 1001", "Start the phone",
    ),
    (facts(), "no-device", "no phone", "extension create 1001"),
    (facts(**IMPORTED), "no-device", "no hint", "extension import"),
    (facts(device(None, missing=True), **IMPORTED), "endpoint-missing", "endpoint 1001", "--remove-gone"),
    (facts(device(None, trouble=MISSED)), "endpoint-unknown", "endpoint 1001", "views of PostgreSQL"),
    (facts(device(None, trouble=MISSED), **IMPORTED), "endpoint-unknown", "endpoint 1001", "extension import"),
    (facts(device(DeviceState.INVALID)), "endpoint-unknown", "endpoint 1001", "views of PostgreSQL"),
    (facts(device(DeviceState.INVALID, name="SIP/7")), "endpoint-unknown", "device SIP/7", "Create it in Asterisk"),
    (facts(device(None)), "not-tracked-yet", "endpoint 1001 is being read", "Ask again"),
    (facts(READY, device(None, name="PJSIP/alice")), "not-tracked-yet", "endpoint alice", "Ask again"),
    (
        facts(device(None, (ANSWERS,), trouble=DeviceTrouble(Trouble.UNTRACKED))),
        "untracked", "does not track", "registers again",
    ),
    (
        facts(device(None, trouble=DeviceTrouble(Trouble.FAILED, REFUSED))),
        "class-missing", REFUSED, "write class `reporting`",
    ),
    (facts(device(None, trouble=DeviceTrouble(Trouble.FAILED, "no answer."))), "untracked", "no answer.", "check"),
    (facts(device(DeviceState.UNKNOWN, name="IAX2/7")), "device-unknown", "device IAX2/7", "channel driver"),
    (facts(device(OFF, None)), "contacts-unknown", "unavailable", "func_pjsip_aor"),
    (facts(device(OFF, ())), "not-registered", "registered as endpoint 1001.", "Start the phone"),
    (
        facts(device(OFF, ()), device(OFF, name="SIP/7")),
        "not-registered", "as endpoint 1001 or device SIP/7.", "Start the phone",
    ),
    (facts(device(OFF, (GONE,))), "not-answering", "endpoint 1001 from 192.0.2.7:5060", "firewall"),
    (facts(device(OFF, ()), device(OFF, (GONE,), "PJSIP/991001")), "not-answering", "endpoint 991001", "firewall"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "code", "cause", "step"), CASES, ids=[f"{n} {case[1]}" for n, case in enumerate(CASES)]
)
def test_the_reason_names_its_cause_and_the_next_step(known: ExtensionFacts, code: str, cause: str, step: str) -> None:
    reason = find_reason(known)
    assert reason is not None
    assert reason.code == code
    assert cause in reason.cause
    assert step in reason.next_step
    for sentence in (reason.cause, reason.next_step):
        assert sentence[0].isupper() or sentence.startswith("main ")
        assert sentence.endswith(".")
        assert not sentence.endswith("..")


def test_every_reason_is_in_the_table() -> None:
    assert {code for _, code, _, _ in CASES} == {code.value for code in ReasonCode}


@pytest.mark.parametrize(
    "state", [state for state in DeviceState if state not in (OFF, DeviceState.INVALID, DeviceState.UNKNOWN)]
)
def test_a_phone_that_answers_needs_no_reason(state: DeviceState) -> None:
    assert find_reason(facts(device(state, (ANSWERS,)))) is None
    assert find_reason(facts(device(state, None), device(OFF, ()))) is None


def test_the_documentation_explains_every_reason_in_order() -> None:
    section = (ROOT / "docs/operations.md").read_text().partition("| `why` | cause |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert [code for cell in cells for code in re.findall(r"`([a-z-]+)`", cell)] == [code.value for code in ReasonCode]


def test_what_has_to_be_mended_first_is_told_first() -> None:
    everything = facts(
        device(OFF, ()),
        link=down(LinkFailure.ENDED),
        enabled=False,
        inactive_user="alice",
        directory_unusable_since=MOMENT,
    )
    told = []
    for mended in ({"enabled": True}, {"inactive_user": None}, {"directory_unusable_since": None}, {"link": LIVE}, {}):
        reason = find_reason(everything)
        assert reason is not None
        told.append(reason.code)
        everything = replace(everything, **mended)
    assert told == ["extension-disabled", "user-inactive", "directory-stale", "link-down", "not-registered"]


def test_a_live_link_has_no_reason() -> None:
    assert find_link_reason(LIVE) is None


@pytest.mark.parametrize(
    ("failure", "code", "next_step"),
    [
        (None, "link-down", "Ask again"),
        (LinkFailure.UNREACHABLE, "call-server-unreachable", "Nothing listens there."),
        (LinkFailure.LOGIN_REFUSED, "login-refused", "CONNECTOR_CALL_SERVERS__MAIN__PRESENCE_SECRET"),
        (LinkFailure.CLASS_MISSING, "class-missing", "service check"),
        (LinkFailure.ENDED, "link-down", "The connection reconnects by itself"),
    ],
)
def test_each_reason_why_no_presence_can_be_set_has_a_next_step(
    failure: LinkFailure | None, code: str, next_step: str
) -> None:
    down = PresenceConnectionCondition(
        call_server="main", connected=False, why_down="why", failure=failure, remedy="nothing listens there"
    )
    reason = find_presence_reason(down)
    assert reason is not None
    assert (reason.code, next_step in reason.next_step) == (code, True)
    assert find_presence_reason(replace(down, connected=True)) is None
