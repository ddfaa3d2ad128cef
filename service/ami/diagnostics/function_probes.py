"""Probes for dialplan functions that would let an AMI account read secrets. The probes themselves read no secret.

`Getvar` evaluates dialplan functions; for one that is not loaded it returns an empty value. So each probe reads
something that has a value whenever the function is loaded: a field of an existing endpoint, or a setting of
`manager.conf` without which AMI would not answer. No value is kept or shown.

`func_shell` could only be probed by running a command, so it is not; AMI also refuses its name to accounts without
class `system`. `func_module`, which reports whether a module is loaded, answers for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from service.ami.client import AmiClient
from service.domain.models import Finding, Verdict
from service.errors import CallServerUnavailable

MAX_SAMPLES = 5
"""Maximum endpoints tried of each kind."""
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_EXPOSES = {
    "func_sorcery": "SIP passwords, those in pjsip.conf too",
    "func_config": "every file in Asterisk's folder, with all secrets",
    "func_realtime": "SIP passwords in the database",
    "func_shell": "whatever a command can, once Asterisk lives dangerously or the account has class system",
    "func_env": "Asterisk's environment",
    "func_curl": "every file that Asterisk can, with all secrets, and what its network answers",
}
_PROBES = {
    "func_sorcery": [
        "AST_SORCERY(res_pjsip,global,global,endpoint_identifier_order)",
        "AST_SORCERY(res_pjsip,transport,udp,protocol)",
    ],
    "func_config": ["AST_CONFIG(manager.conf,general,enabled)", "AST_CONFIG(asterisk.conf,directories,astetcdir)"],
    "func_env": ["ENV(PATH)", "ENV(PWD)", "ENV(HOME)", "ENV(LANG)", "ENV(LC_ALL)"],
    "func_curl": ["CURL(file:///proc/version)"],
}
_ENDPOINT_PROBES = {
    "func_sorcery": "AST_SORCERY(res_pjsip,endpoint,{},context)",
    "func_realtime": "REALTIME_FIELD(ps_endpoints,id,{},id)",
}
_CONCLUSIVE = frozenset({"func_config", "func_env"})
"""Modules whose probes have a value in every Asterisk. Those of `func_sorcery` do if an endpoint is known; the family
names of `func_realtime` depend on the installation."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Endpoints to probe with: `known` by Asterisk, and `ours`, which may be in its database without being known."""

    known: Sequence[str]
    ours: Sequence[str] = ()

    @classmethod
    def choose(cls, *kinds: Iterable[str], ours: Iterable[str]) -> Samples:
        """A few of each kind that Asterisk knows: one kind may be in a file, the other in a database."""
        return cls([endpoint for kind in kinds for endpoint in _select(kind)], list(_select(ours)))


def _select(endpoints: Iterable[str]) -> Iterator[str]:
    return islice((endpoint for endpoint in endpoints if _SAFE_NAME.fullmatch(endpoint)), MAX_SAMPLES)


async def probe(
    part: str,
    username: str,
    connection: AmiClient,
    samples: Samples,
    loaded: str | None,
    accepted: Collection[str] = (),
) -> list[Finding]:
    """A finding per module.

    `loaded` is the CLI's list of loaded modules, if an account may read it. `accepted` are those of the settings.
    """
    return [
        _report_module(
            part, username, module, await _is_loaded(connection, module, samples, loaded), module in accepted
        )
        for module in _EXPOSES
    ]


async def _is_loaded(connection: AmiClient, module: str, samples: Samples, loaded: str | None) -> bool | None:
    """Whether a module is loaded; None if that cannot be known."""
    template = _ENDPOINT_PROBES.get(module, "")
    endpoints = dict.fromkeys([*samples.known, *samples.ours]) if template else ()
    for expression in (*_PROBES.get(module, ()), *(template.format(endpoint) for endpoint in endpoints)):
        if await _read_value(connection, expression):
            return True
    reported = await _read_value(connection, f"IFMODULE({module}.so)")
    if reported == "1" or (loaded is not None and f"{module}.so" in loaded):
        return True
    conclusive = module in _CONCLUSIVE or (module == "func_sorcery" and samples.known)
    return False if conclusive or reported == "0" or loaded is not None else None


async def _read_value(connection: AmiClient, expression: str) -> str:
    try:
        return await connection.variable(expression)
    except CallServerUnavailable:
        if connection.why_ended is not None:
            raise
        return ""


def _report_module(part: str, username: str, module: str, is_loaded: bool | None, is_accepted: bool) -> Finding:
    if is_accepted and is_loaded is not False:
        what = f"{module} is accepted: {username!r} can read {_EXPOSES[module]}"
        remedy = f"to end it: modules.conf: noload = {module}.so"
        return Finding(part, what, remedy, otherwise=Verdict.ACCEPTED)
    if is_loaded is None:
        remedy = f"on its machine: asterisk -rx 'module show like {module}'; it must list none"
        return Finding(part, f"whether {module} is there cannot be known", remedy, otherwise=Verdict.UNKNOWN)
    if is_loaded:
        what = f"{module} is there: {username!r} can read {_EXPOSES[module]}"
        remedy = f"modules.conf: noload = {module}.so; if the dialplan needs it, name it in ACCEPTED_MODULES"
        return Finding(part, what, remedy, otherwise=Verdict.TOO_MUCH)
    return Finding(part, f"{module} is not there")
