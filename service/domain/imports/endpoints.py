"""Asterisk's endpoints and hints, and which of them are phones of which extensions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.domain.extension_names import ENDPOINT_NAME, EXTENSION_NUMBER
from service.domain.imports.source import (
    Skipped,
    Source,
    SourcePerson,
    SourcePhone,
    credential_problem,
    display_name,
)
from service.domain.models import PJSIP, Profile
from service.errors import Refused

PLAIN_AUTH_TYPES = ("userpass", "digest")
"""Types of an auth that may hold a password in plain text. `digest` is Asterisk 22's name for both kinds."""
WATCHED_TECHNOLOGIES = ("SIP/", "IAX2/")
"""Devices without a phone of ours whose state is worth an extension."""
MAX_NAMED_CONTEXTS = 5
"""Contexts that an error names."""

_CALLER_NAME = re.compile(r'\s*"(?P<quoted>(?:[^"\\]|\\.)*)"|\s*(?P<bare>[^"<]*?)\s*<')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class EndpointAuth:
    """An inbound auth of an endpoint."""

    name: str
    type: str
    username: str
    password: str = field(repr=False)
    has_digest: bool = False
    """Whether it holds a hash of the password, such as `md5_cred`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint, as `PJSIPShowEndpoint` describes it."""

    name: str
    auth_names: tuple[str, ...] = ()
    """Names of the inbound auths in its configuration; they may not exist."""
    auths: tuple[EndpointAuth, ...] = ()
    aors: tuple[str, ...] = ()
    caller_id: str = ""
    webrtc: bool = False


@dataclass(frozen=True, slots=True)
class DialplanHint:
    """A dialable number, and the devices of its hint without `Custom:` ones."""

    number: str
    context: str
    devices: tuple[str, ...]


def read_source(
    endpoints: Iterable[Endpoint], hints: Iterable[DialplanHint], hint_context: str | None = None
) -> Source:
    """Decide which endpoints are phones, and of which extensions. `hint_context` selects the hints of one context.

    Raises Refused if only other contexts have hints of these endpoints: without them every phone would get the number
    that is its name.
    """
    endpoints, hints = list(endpoints), list(hints)
    if hint_context is not None:
        _check_context(endpoints, hints, hint_context)
    usable_hints = [
        hint
        for hint in hints
        if hint_context in (None, hint.context)
        and EXTENSION_NUMBER.fullmatch(hint.number)
        and not hint.number.startswith("_")
    ]
    numbering = _Numbering(usable_hints)
    phones, skipped, people = [], [], {}
    names = set()
    for endpoint in sorted(endpoints, key=lambda endpoint: endpoint.name):
        names.add(endpoint.name)
        result = _phone(endpoint, numbering)
        if isinstance(result, str):
            skipped.append(Skipped(endpoint.name, result))
            continue
        phones.append(result)
        name = caller_name(endpoint.caller_id)
        if name is not None and (result.number not in people or endpoint.name == result.number):
            people[result.number] = SourcePerson(fullname=name)
    watched = {hint.number for hint in usable_hints if _is_watched(hint.devices)}
    return Source(
        phones=tuple(phones),
        numbers=frozenset(phone.number for phone in phones) | watched,
        skipped=tuple(skipped),
        endpoints=frozenset(names),
        people=people,
    )


def _check_context(endpoints: Iterable[Endpoint], hints: Iterable[DialplanHint], hint_context: str) -> None:
    """Raise Refused if no hint is in the context, and those of other contexts name an endpoint."""
    devices = {PJSIP + endpoint.name for endpoint in endpoints}
    contexts = {hint.context for hint in hints}
    named = sorted({hint.context for hint in hints if not devices.isdisjoint(hint.devices)})
    if hint_context not in contexts and named:
        listed = ", ".join(named[:MAX_NAMED_CONTEXTS])
        raise Refused(
            f"HINT_CONTEXT is {hint_context}, and no hint is in that context; hints of endpoints are in: {listed}"
        )


class _Numbering:
    """Finds an endpoint's number: by hints, else by its own name."""

    def __init__(self, hints: Iterable[DialplanHint]) -> None:
        self._own: dict[str, set[str]] = defaultdict(set)  # numbers whose hint has this endpoint and no other
        self._shared: dict[str, set[str]] = defaultdict(set)
        self._hinted: set[str] = set()
        for hint in hints:
            devices = [device for device in hint.devices if "/" in device]
            endpoints = {device[len(PJSIP) :] for device in devices if device.startswith(PJSIP)}
            if devices:
                self._hinted.add(hint.number)
            for endpoint in endpoints:
                (self._own if len(endpoints) == 1 else self._shared)[endpoint].add(hint.number)

    def number_of(self, endpoint: str) -> tuple[str, str | None]:
        """Return the number, and the problem if there is none.

        Among several hints the one decides that has the endpoint's name as its number, then the one that has no other
        endpoint: a number that several phones share is no phone's own.
        """
        own = self._own.get(endpoint, set())
        numbers = own | self._shared.get(endpoint, set())
        if endpoint in numbers:
            return endpoint, None
        chosen = own if len(own) == 1 else numbers
        if len(chosen) > 1:
            listed = ", ".join(sorted(chosen)[:5])
            return "", f"hints give it several numbers: {listed}; HINT_CONTEXT selects one context"
        if chosen:
            return next(iter(chosen)), None
        if not EXTENSION_NUMBER.fullmatch(endpoint):
            return "", "no hint gives it a number, and its name cannot be one"
        if endpoint in self._hinted:
            return "", f"the hint of {endpoint} names other devices"
        return endpoint, None


def _is_watched(devices: Iterable[str]) -> bool:
    """Whether a hint has devices of other technologies only."""
    technologies = {device.partition("/")[0] + "/" for device in devices if "/" in device}
    return bool(technologies & {*WATCHED_TECHNOLOGIES}) and PJSIP not in technologies


def _phone(endpoint: Endpoint, numbering: _Numbering) -> SourcePhone | str:
    """Return the endpoint as a phone, or why it is none."""
    if not endpoint.auth_names:
        return "no inbound auth: a trunk"
    if not ENDPOINT_NAME.fullmatch(endpoint.name):
        return "its name is not allowed: 1 to 80 of A-Z a-z 0-9 _ . + -"
    auth = _auth(endpoint)
    if isinstance(auth, str):
        return auth
    number, problem = numbering.number_of(endpoint.name)
    if problem is not None:
        return problem
    if endpoint.name not in endpoint.aors:
        return "it has no AOR of its own name, at which a phone could register"
    return SourcePhone(
        number=number,
        endpoint=endpoint.name,
        auth_username=auth.username,
        secret=auth.password,
        profile=Profile.WEBRTC if endpoint.webrtc else Profile.SIP,
    )


def _auth(endpoint: Endpoint) -> EndpointAuth | str:
    """Return the endpoint's only auth with a password, or why there is none."""
    if len(endpoint.auth_names) > 1:
        return "several inbound auths"
    if not endpoint.auths:
        return f"its auth {endpoint.auth_names[0]} does not exist"
    auth = endpoint.auths[0]
    if auth.type not in (*PLAIN_AUTH_TYPES, "md5"):
        return f"its auth is of type {auth.type}"
    if auth.type == "md5" or (auth.has_digest and not auth.password):
        return "Asterisk knows only a digest (MD5) of its secret"
    if auth.type == "digest" and auth.has_digest:
        return "its auth has a password and a digest, and Asterisk checks the digest"
    return (
        credential_problem("its secret", auth.password)
        or credential_problem("the username of its auth", auth.username)
        or auth
    )


def caller_name(caller_id: str) -> str | None:
    """Return the name in a caller id such as `"Ada" <1001>`; None if there is none."""
    found = _CALLER_NAME.match(caller_id)
    if found is None:
        return None
    quoted = found["quoted"]
    return display_name(_ESCAPED.sub(r"\1", quoted) if quoted is not None else found["bare"])
