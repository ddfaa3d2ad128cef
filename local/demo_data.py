"""The part of the demo data (`python -m service demo`) that these programs use."""

ADMIN = "admin"
ADMIN_PASSWORD = "demo-admin-password"  # noqa: S105
ADMIN_UID = "6vHSSqdBHdm2R4gfi"
ADMIN_TOKEN = "xS8jnLS2YzVy-_w8T_S0WnQm5SnADjACa7gbXmcOcLY"  # noqa: S105
AGENTS = ("dnhai", "agent2")
"""Names of the two who have an extension."""
AGENT_UID = "ByehQjC44FwMeiLbX"
AGENT_USER_ID = 1795
AGENT_EXTENSION = "12342"

REGISTRATION_PATH = "/api/v1/connector.extension.getRegistrationInfoByUserId"


def curl_lines(base: str) -> list[str]:
    """The two documented calls as shell commands."""
    return [
        f"curl --request GET '{base}{REGISTRATION_PATH}' --header 'X-Auth-Token: {ADMIN_TOKEN}' "
        f"--header 'X-User-Id: {ADMIN_UID}' --header 'Content-Type: application/json' "
        f"""--data-raw '{{"id": "{AGENT_UID}"}}'""",
        f"curl -H 'X-Auth-Token: {ADMIN_TOKEN}' -X GET '{base}/v1//user/{AGENT_USER_ID}'",
    ]
