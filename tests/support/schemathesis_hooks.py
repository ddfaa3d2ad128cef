"""What schemathesis is kept from: it would remove, or lock out, the very people whose tokens it asks with."""

from __future__ import annotations

from typing import Any

import schemathesis

ASKING = {"1", "1795"}
NOBODY = "0"


@schemathesis.hook
def before_call(_: Any, case: Any, __: dict[str, Any]) -> None:
    """Changes of these people become changes of nobody."""
    if case.method in ("PATCH", "DELETE") and str((case.path_parameters or {}).get("user_id")) in ASKING:
        case.path_parameters["user_id"] = NOBODY
