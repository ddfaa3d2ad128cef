"""Pages of other origins: one that the service lists polls and streams, and the browser refuses all others."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from local import demo_data
from tests.e2e.browser.conftest import Site
from tests.e2e.run import ADMIN, IN_TIME_S, Run
from tests.support.browser import Browser, PageError

PAGE = """<!doctype html><script>
const service = %s, headers = %s;

async function poll(path, known) {
  const answer = await fetch(service + path, { headers: known ? { ...headers, "If-None-Match": known } : headers });
  const [etag, interval] = ["ETag", "X-Poll-Interval"].map(name => answer.headers.get(name));
  return { status: answer.status, etag, interval, body: await answer.text() };
}

async function ticket() {
  const answer = await fetch(service + "/api/v1/presence/streamTicket", { method: "POST", headers });
  return (await answer.json()).ticket;
}

function follow(extension, ticket) {
  const stream = new EventSource(`${service}/api/v1/presence/stream?extension=${extension}&ticket=${ticket}`);
  for (const name of ["snapshot", "change"])
    stream.addEventListener(name, ({ data }) => {
      for (const line of JSON.parse(data).presence) console.log(name, line.extension, line.state);
    });
  stream.onerror = () => console.log("the stream has ended");
}
</script>"""
POLLED = f"{demo_data.REGISTRATION_PATH}?id={demo_data.AGENT_UID}"
PRESENCE = f"/api/v1/presence/{demo_data.AGENT_EXTENSION}"


@pytest.fixture
def page_of(run: Run, site: Site) -> Callable[[str], str]:
    """The page's URL, by its origin."""
    site.pages["/poll"] = ("text/html", PAGE % (json.dumps(run.base), json.dumps(ADMIN)))
    return lambda origin: f"{origin}/poll"


@pytest.mark.parametrize("path", [POLLED, PRESENCE])
async def test_a_listed_page_polls_for_a_304(
    run: Run, chromium: Browser, site: Site, page_of: Callable[[str], str], path: str
) -> None:
    run.shows("Unavailable")
    async with chromium.page(page_of(site.listed)) as page:
        first = await page.evaluate(f"poll({path!r})")
        assert first["status"] == 200
        assert '"state":"Unavailable"' in first["body"]
        assert first["interval"] == "10"
        etag = first["etag"]
        again = await page.evaluate(f"poll({path!r}, {etag!r})")
        assert (again["status"], again["body"], again["etag"]) == (304, "", etag)
        with run.phone() as phone:
            phone.wait_registered()
            run.shows("Not in use", within_s=IN_TIME_S)
            changed = await page.evaluate(f"poll({path!r}, {etag!r})")
        assert changed["status"] == 200
        assert '"state":"Not in use"' in changed["body"]
        assert changed["etag"] != etag
        run.shows("Unavailable", within_s=IN_TIME_S)


async def test_a_listed_page_streams_with_a_ticket(
    run: Run, chromium: Browser, site: Site, page_of: Callable[[str], str]
) -> None:
    run.shows("Unavailable")
    extension = demo_data.AGENT_EXTENSION
    async with chromium.page(page_of(site.listed)) as page:
        await page.evaluate(f"ticket().then(made => follow({extension!r}, made))")
        seen = await page.says(f"snapshot {extension} Unavailable")
        with run.phone() as phone:
            phone.wait_registered()
            seen = await page.says(f"change {extension} Not in use", after=seen)
        await page.says(f"change {extension} Unavailable", after=seen)
        assert [line for line in page.console if not line.startswith("log: ")] == []


async def test_a_page_of_another_origin_is_refused_by_the_browser(
    run: Run, chromium: Browser, site: Site, page_of: Callable[[str], str]
) -> None:
    ticket = json.loads(run.request("POST", "/api/v1/presence/streamTicket", headers=ADMIN).text)["ticket"]
    async with chromium.page(page_of(site.unlisted)) as page:
        with pytest.raises(PageError, match="Failed to fetch"):
            await page.evaluate(f"poll({POLLED!r})")
        with pytest.raises(PageError, match="Failed to fetch"):
            await page.evaluate("ticket()")
        await page.evaluate(f"follow({demo_data.AGENT_EXTENSION!r}, {ticket!r})")
        await page.says("the stream has ended")
        told = [line for line in page.console if "blocked by CORS policy" in line]
        assert len(told) == 3
        assert all(site.unlisted in line for line in told)
        assert "snapshot" not in str(page.console)
