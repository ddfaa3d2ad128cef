"""The two softphones that docs/api.md shows, just as they stand there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from local import node
from tests.e2e.browser.conftest import Site
from tests.e2e.documents import BASE, blocks
from tests.e2e.run import Run
from tests.support.browser import Browser

BUNDLE = ["--bundle", "--format=esm", "--outfile=bundle.js"]


def shown(run: Run, language: str) -> str:
    """The document's only program in this language."""
    (program,) = blocks("docs/api.md", language)
    assert BASE in program
    return program.replace(BASE, run.base)


async def test_the_one_in_javascript_registers_calls_and_hears(
    run: Run, chromium: Browser, site: Site, modules: Path, tmp_path: Path
) -> None:
    run.shows("Unavailable")
    (tmp_path / "softphone.js").write_text(shown(run, "js"))
    node.run(modules / "esbuild/bin/esbuild", "softphone.js", *BUNDLE, folder=tmp_path, NODE_PATH=str(modules))
    site.pages["/softphone"] = ("text/html", '<!doctype html><script type="module" src="bundle.js"></script>')
    site.pages["/bundle.js"] = ("text/javascript", (tmp_path / "bundle.js").read_text())
    async with chromium.page(f"{site.listed}/softphone") as page:
        # What the stream tells and what the phone tells come by two ways: each is in order, both together need not be.
        seen = await page.says("state: Unavailable")
        seen = await page.says("state: Not in use", after=seen)
        seen = await page.says("state: In use", after=seen)
        await page.says("state: Not in use", after=seen)
        seen = await page.says("registered")
        seen = await page.says("packets with sound", after=seen)
        await page.says("the call is over", after=seen)
        assert run.line() == ("Not in use", True)
        assert [line for line in page.console if not line.startswith("log: ")] == []
    run.shows("Unavailable", within_s=5)


def test_the_one_in_python_registers_and_sees_its_line_come_up(run: Run, tmp_path: Path) -> None:
    run.shows("Unavailable")
    (tmp_path / "softphone.py").write_text(shown(run, "python"))
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "softphone.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "state: Not in use"
    run.shows("Unavailable", within_s=5)
