"""The board in tests: its tiles, which of them look live, and phones for its extensions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from local.baresip import Phone
from service.cli.demo import SECOND_SIP_PASSWORD
from tests.e2e.browser.pages import text
from tests.e2e.run import Run
from tests.support.browser import Page
from tests.support.eventually import eventually

OWN, OTHER = "12342", "12343"
TILES = "[...document.querySelectorAll('.tile')]"
LOOKS_LIVE = f"""{TILES}.filter(tile =>
  !/Unknown since \\d\\d:\\d\\d:\\d\\d: \\S/.test(tile.innerText)
  || [...tile.children].some(each => getComputedStyle(each).opacity > 0.85)
  || getComputedStyle(tile).borderTopStyle !== 'dashed'
  || /Free|In a call|Ringing|Unavailable/.test(tile.innerText)).map(tile => tile.innerText)"""
"""The tiles that look live by what is computed, whatever classes they have."""


def tile(extension: str) -> str:
    return f".tile[data-key='{extension}']"


@contextmanager
def phones(run: Run) -> Iterator[tuple[Phone, Phone]]:
    """The phones of both extensions, registered."""
    with run.phone() as own, run.phone(OTHER, SECOND_SIP_PASSWORD) as other:
        own.wait_registered()
        other.wait_registered()
        yield own, other


async def nothing_looks_live(page: Page, why: str, within: float) -> None:
    async def there() -> bool:
        words = await text(page, tile(OWN))
        return why in words and await page.evaluate(LOOKS_LIVE) == []

    await eventually(there, within, f"no tile looks live, because of {why}")
