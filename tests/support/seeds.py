"""The two documented calls as their pages have them, to be replayed with curl, and what they must answer."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from service.cli.demo import ADMIN_TOKEN

REGISTRATION_CALL = (
    "curl",
    "--location",
    "--request",
    "GET",
    "localhost:3000/api/v1/connector.extension.getRegistrationInfoByUserId",
    "--header",
    "X-Auth-Token: xS8jnLS2YzVy-_w8T_S0WnQm5SnADjACa7gbXmcOcLY",
    "--header",
    "X-User-Id: 6vHSSqdBHdm2R4gfi",
    "--header",
    "Content-Type: application/json",
    "--data-raw",
    '{\n    "id": "ByehQjC44FwMeiLbX"\n}',
)
REGISTRATION: dict[str, Any] = {
    "host": ...,
    "callServerConfig": {"websocketPort": ..., "websocketPath": ...},
    "extensionDetails": {
        "extension": "12342",
        "password": "my$up3erP@ssw0rd",
        "authtype": "password",
        "state": "Not in use",
    },
}
"""`...` stands where every installation answers its own."""

# The page's token is no token of this service: the first page's replaces it.
USER_CALL = ("curl", "-H", f"X-Auth-Token: {ADMIN_TOKEN}", "-X", "GET", "http://88.99.175.131:8000/v1//user/1795")
USER: dict[str, Any] = {
    "payload": {
        "user_id": 1795,
        "passwd": ...,
        "user_type": "agent",
        "active": True,
        "carrier_name": None,
        "default_mod": "",
        "reseller_id": None,
        "outbound_report": True,
        "client_limits": [],
        "last_name": None,
        "role_id": None,
        "last_login_time": ...,
        "all_termination": True,
        "report_fields": "string",
        "client": None,
        "report_count": "1 Hour",
        "name": "dnhai",
        "first_name": "string",
        "cdr_expire": None,
        "is_preload": True,
        "landing_page": "string",
        "login_ip": ...,
        "default_mod2": "string",
        "avatar_id": None,
        "create_user_id": 1,
        "create_time": "2018-02-26T22:39:43.438420+00:00",
        "agent": None,
        "report_group": True,
        "auth_ip": [],
        "default_billing_decimal": 4,
        "card_id": 0,
        "email": ...,
        "last_seen": ...,
        "is_online": ...,
        "role_name": "",
        "client_id": None,
        "fullname": None,
        "cdr_api_token": None,
        "show_carrier_trunk_drop_only": True,
    },
    "success": True,
}


def replayed(call: tuple[str, ...], base: str) -> Any:
    """What curl prints for a documented call, sent to this installation instead of the page's; JSON, parsed."""
    moved = [base + argument[argument.index("/", 8) :] if _is_address(argument) else argument for argument in call]
    done = subprocess.run([*moved, "--silent", "--show-error", "--max-time", "10"], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def assert_both_replay(base: str) -> None:
    """Both documented calls answer what is documented, while the phone of the documented extension is registered."""
    assert_documented(replayed(REGISTRATION_CALL, base), replayed(USER_CALL, base))


def assert_documented(registration: Any, user: Any, state: str = "Not in use") -> None:
    """Both are the documented answers, but for what every installation answers its own, and the line's state."""
    details = REGISTRATION["extensionDetails"] | {"state": state}
    assert without_own(registration, REGISTRATION) == {**REGISTRATION, "extensionDetails": details}
    assert without_own(user, USER) == USER


def without_own(answer: Any, documented: Any) -> Any:
    """The answer with `...` where every installation answers its own, to be compared with the documented one."""
    if documented is ...:
        return ...
    if isinstance(answer, dict) and isinstance(documented, dict):
        return {key: without_own(value, documented.get(key)) for key, value in answer.items()}
    return answer


def _is_address(argument: str) -> bool:
    return argument.startswith(("localhost:", "http://"))
