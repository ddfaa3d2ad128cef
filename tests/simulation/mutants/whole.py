"""Mutants that only the whole sees: calls that write PostgreSQL, and what they promise of the polls after them."""

from __future__ import annotations

from functools import partial

from tests.simulation.mutants.mutant import Mutant as AnyMutant

Mutant = partial(AnyMutant, profile="whole")
OTHERS = tuple(range(12))

MUTANTS = [
    Mutant(
        "a logout is answered before this process has read it",
        "service/web/auth/login_calls.py",
        '    await request.app[CHANGE_LISTENER].refresh(f"token {token_hash(token).hex()}", within=1.0)\n',
        "",
        seeds=(3, *OTHERS),
    ),
    Mutant(
        "a new password is answered before this process has read which tokens it has ended",
        "service/web/users/admin.py",
        "            await changes.barrier(within=READ_BACK_DEADLINE)\n",
        "            pass\n",
        seeds=(4, *OTHERS),
    ),
    Mutant(
        "an edit of an extension is answered, and nothing is stored",
        "service/web/connector/extension_admin.py",
        "        profile=given.profile,\n        enabled=given.enabled,\n",
        "        profile=None,\n        enabled=given.enabled,\n",
        seeds=(1, *OTHERS),
    ),
    Mutant(
        "a new password is another one than was given",
        "service/web/users/admin.py",
        """    return {"passwd": await request.app[HASHER].hash(password)}""",
        """    return {"passwd": await request.app[HASHER].hash(password.upper())}""",
        seeds=(1, *OTHERS),
    ),
]
