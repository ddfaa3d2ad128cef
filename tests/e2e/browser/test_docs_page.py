"""The page at /docs: what a person sees of the description, with no network but the service's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local import demo_data
from tests.e2e.browser.docs_page import OPERATIONS, REGISTRATION, TOKEN, UID, box, fill, opened, send
from tests.e2e.run import ADMIN, Run
from tests.support.browser import Page
from tests.support.eventually import eventually


@pytest.fixture(scope="module")
def described(run: Run) -> dict[str, Any]:
    """Each operation of the description by its id, with its method."""
    paths = json.loads(run.request("GET", "/openapi.json").text)["paths"]
    return {
        each["operationId"]: {**each, "method": method}
        for methods in paths.values()
        for method, each in methods.items()
    }


async def test_every_operation_is_shown_and_opens(docs: Page, described: dict[str, Any]) -> None:
    assert set(await docs.evaluate(f"[...{OPERATIONS}].map(each => each.id)")) == set(described)
    await opened(docs)
    assert await docs.evaluate(f"[...{OPERATIONS}].every(each => /Responses/.test(each.textContent))")


async def test_a_call_is_made_from_the_page(docs: Page) -> None:
    await opened(docs, REGISTRATION)
    await fill(docs, "document", {"#token": ADMIN["X-Auth-Token"], "#uid": ADMIN["X-User-Id"]})
    await fill(docs, box(REGISTRATION), {"input[name=id]": demo_data.AGENT_UID})
    await send(docs, REGISTRATION, "200 OK")
    text = await docs.evaluate(f"{box(REGISTRATION)}.textContent")
    assert f'"extension": "{demo_data.AGENT_EXTENSION}"' in text
    assert "x-state-live: true" in text


async def test_a_login_fills_in_the_credentials_and_a_logout_clears_them(docs: Page) -> None:
    await fill(docs, "document", {"#user": demo_data.ADMIN, "#password": demo_data.ADMIN_PASSWORD})
    await docs.evaluate("document.querySelector('#login button').click()")
    await eventually(lambda: docs.holds(f"{TOKEN}.length > 40"), what="the token is filled in")
    assert await docs.evaluate(UID) == demo_data.ADMIN_UID
    assert await docs.evaluate("document.getElementById('password').value") == ""
    await opened(docs, "getMe")
    await send(docs, "getMe", "200 OK")
    await docs.evaluate("document.getElementById('logout').click()")
    await eventually(lambda: docs.holds(f"{TOKEN} === '' && {UID} === ''"), what="the credentials are cleared")


async def test_a_refused_login_is_reported_and_changes_nothing(docs: Page) -> None:
    await fill(docs, "document", {"#user": "nobody", "#password": "wrong", "#uid": "kept"})
    await docs.evaluate("document.querySelector('#login button').click()")
    said = "document.querySelector('#caller [role=status]').textContent"
    await eventually(lambda: docs.holds(f"{said}.startsWith('401')"), what="the refusal is reported")
    assert await docs.evaluate(f"[{TOKEN}, {UID}]") == ["", "kept"]
    docs.console = [line for line in docs.console if "401" not in line]  # the browser's own note of it


@pytest.mark.parametrize(
    ("operation", "body", "uid"),
    [
        ("postLogin", {"user": demo_data.ADMIN, "password": demo_data.ADMIN_PASSWORD}, demo_data.ADMIN_UID),
        ("postAuth", {"email_or_name": demo_data.ADMIN, "password": demo_data.ADMIN_PASSWORD}, ""),
    ],
)
async def test_a_login_sent_as_a_call_fills_in_the_credentials(
    docs: Page, operation: str, body: dict[str, str], uid: str
) -> None:
    await fill(docs, "document", {"#uid": "somebody else"})
    await opened(docs, operation)
    await fill(docs, box(operation), {"textarea": json.dumps(body)})
    await send(docs, operation, "200 OK")
    assert await docs.evaluate(f"{TOKEN}.length > 40")
    assert await docs.evaluate(UID) == uid


async def test_a_call_that_changes_something_is_never_prefilled(docs: Page, described: dict[str, Any]) -> None:
    await opened(docs)
    changing = [name for name, each in described.items() if each["method"] != "get"]
    assert {"deleteUserByUserId", "deleteOmnichannelAgentExtensionByUsername", "patchUserByUserId"} <= set(changing)
    for operation in changing:
        fields = f"[...{box(operation)}.querySelectorAll('form input, form textarea')].map(each => each.value)"
        for value in await docs.evaluate(fields):
            assert not any(json.loads(value).values() if value.startswith("{") else value), (operation, value)
    assert await docs.evaluate(f"{box(REGISTRATION)}.querySelector('input[name=id]').value") == demo_data.AGENT_UID


async def test_a_deletion_without_an_id_is_not_sent(docs: Page) -> None:
    await opened(docs, "deleteUserByUserId")
    await fill(docs, "document", {"#token": ADMIN["X-Auth-Token"]})
    before = len(docs.requests)
    await docs.evaluate(f"{box('deleteUserByUserId')}.querySelector('button[type=submit]').click()")
    assert await docs.evaluate(f"{box('deleteUserByUserId')}.querySelector('input:invalid').name") == "user_id"
    assert docs.requests[before:] == []


async def test_every_call_has_its_curl_line(docs: Page, run: Run, described: dict[str, Any]) -> None:
    await opened(docs)
    lines = await docs.evaluate(
        f"Object.fromEntries([...{OPERATIONS}].map(each => [each.id, each.querySelector('.curl').textContent]))"
    )
    assert set(lines) == set(described)
    for operation, line in lines.items():
        assert line.startswith("curl "), operation
        assert f"'{run.base}/" in line
        assert ("$TOKEN" in line) == any("token" in each for each in described[operation].get("security", [])), (
            operation
        )
    assert lines["deleteUserByUserId"].startswith("curl -X DELETE ")
    assert "USER_ID" in lines["deleteUserByUserId"]
    assert lines["getPresenceStream"].startswith("curl -N ")


async def test_a_copied_curl_line_does_in_a_shell_what_the_page_does(docs: Page, run: Run) -> None:
    create, delete = "postConnectorExtensionCreate", "postConnectorExtensionDelete"
    await docs.evaluate("navigator.clipboard.writeText = async text => { window.copied = text }")
    await fill(docs, "document", {"#token": ADMIN["X-Auth-Token"], "#uid": ADMIN["X-User-Id"]})
    for operation, body in {
        create: {"extension": "70077", "secret": 'it\'s a \\"secret\\" of $HOME'},
        delete: {"extension": "70077"},
    }.items():
        await opened(docs, operation)
        await fill(docs, box(operation), {"textarea": json.dumps(body)})
        assert ADMIN["X-Auth-Token"] not in await docs.evaluate(f"{box(operation)}.querySelector('.curl').textContent")
        await docs.evaluate(f"{box(operation)}.querySelector('.copy').click()")
        done = run.bash(await docs.evaluate("window.copied"))
        assert '"success":true' in done.stdout, done.stderr
