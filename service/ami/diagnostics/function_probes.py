"""Whether functions are loaded with which an AMI account reads secrets: asked as a thief would, for what is no secret.

`Getvar` evaluates dialplan functions, and answers one that is not there as one that has no value: with nothing. So
each probe asks for something that must have a value if the function is there: a field of an endpoint that exists, a
setting of `manager.conf` without which nobody could ask. No value is kept or shown.

`func_shell` can only be tried by running something, which nobody here does; AMI also refuses its name to accounts
without class `system`. `func_module`, which tells of any module whether it is loaded, knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from service.ami.client import AmiClient
from service.domain.models import Finding, Verdict
from service.errors import CallServerUnavailable

SAMPLES = 5
"""So many endpoints are tried at most, of our own and of others."""
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_STEALS = {
    "func_sorcery": "SIP passwords, those in pjsip.conf too",
    "func_config": "every file in Asterisk's folder, with all secrets",
    "func_realtime": "SIP passwords in the database",
    "func_shell": "whatever a command can, once Asterisk lives dangerously or the account has class system",
    "func_env": "Asterisk's environment",
    "func_curl": "every file that Asterisk can, with all secrets, and what its network answers",
}
_ALWAYS = {
    "func_sorcery": [
        "AST_SORCERY(res_pjsip,global,global,endpoint_identifier_order)",
        "AST_SORCERY(res_pjsip,transport,udp,protocol)",
    ],
    "func_config": ["AST_CONFIG(manager.conf,general,enabled)", "AST_CONFIG(asterisk.conf,directories,astetcdir)"],
    "func_env": ["ENV(PATH)", "ENV(PWD)", "ENV(HOME)", "ENV(LANG)", "ENV(LC_ALL)"],
    "func_curl": ["CURL(file:///proc/version)"],
}
_PER_ENDPOINT = {
    "func_sorcery": "AST_SORCERY(res_pjsip,endpoint,{},context)",
    "func_realtime": "REALTIME_FIELD(ps_endpoints,id,{},id)",
}
_CERTAIN = frozenset({"func_config", "func_env"})
"""Those that would have answered in any Asterisk. `func_sorcery` does where an endpoint is known; what the families of
`func_realtime` are called only that Asterisk knows."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Endpoints to ask for: those that Asterisk knows, and all of ours, which may be in its database all the same."""

    known: Sequence[str]
    ours: Sequence[str] = ()

    @classmethod
    def of(cls, *kinds: Iterable[str], ours: Iterable[str]) -> Samples:
        """A few of each kind that Asterisk knows: some may be in a file, others in a database."""
        return cls([endpoint for kind in kinds for endpoint in _some(kind)], list(_some(ours)))


def _some(endpoints: Iterable[str]) -> Iterator[str]:
    return islice((endpoint for endpoint in endpoints if _PLAIN.fullmatch(endpoint)), SAMPLES)


async def probe(part: str, username: str, connection: AmiClient, samples: Samples, listed: str | None) -> list[Finding]:
    """A finding per module. `listed` is what the command line tells of loaded modules, where somebody may ask it."""
    return [
        _finding(part, username, module, await _is_there(connection, module, samples, listed)) for module in _STEALS
    ]


async def _is_there(connection: AmiClient, module: str, samples: Samples, listed: str | None) -> bool | None:
    """Whether a module is loaded; None when that cannot be known."""
    per_endpoint = _PER_ENDPOINT.get(module, "")
    endpoints = dict.fromkeys([*samples.known, *samples.ours]) if per_endpoint else ()
    for expression in (*_ALWAYS.get(module, ()), *(per_endpoint.format(endpoint) for endpoint in endpoints)):
        if await _value(connection, expression):
            return True
    told = await _value(connection, f"IFMODULE({module}.so)")
    if told == "1" or (listed is not None and f"{module}.so" in listed):
        return True
    certain = module in _CERTAIN or (module == "func_sorcery" and samples.known)
    return False if certain or told == "0" or listed is not None else None


async def _value(connection: AmiClient, expression: str) -> str:
    try:
        return await connection.variable(expression)
    except CallServerUnavailable:
        if connection.why_ended is not None:
            raise
        return ""


def _finding(part: str, username: str, module: str, is_there: bool | None) -> Finding:
    if is_there is None:
        remedy = f"on its machine: asterisk -rx 'module show like {module}'; it must list none"
        return Finding(part, f"whether {module} is there cannot be known", remedy, otherwise=Verdict.UNKNOWN)
    if is_there:
        what = f"{module} is there: {username!r} can read {_STEALS[module]}"
        return Finding(part, what, f"modules.conf: noload = {module}.so", otherwise=Verdict.TOO_MUCH)
    return Finding(part, f"{module} is not there")
