"""Every curl line in the documentation runs, with the variables that it sets itself, and succeeds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local import demo_data
from service.cli.demo import SIP_PASSWORD
from tests.e2e.run import ADMIN, Run
from tests.support import seeds
from tests.support.documents import BASE, blocks

CURL = re.compile(r"\bcurl(?= )")


@pytest.mark.parametrize("document", ["README.md", "docs/api.md"])
def test_every_curl_line_succeeds(run: Run, tmp_path: Path, document: str) -> None:
    """The blocks are one script, as one shell would get them; curl's own configuration makes it tell each status."""
    (tmp_path / ".curlrc").write_text('silent\nmax-time = 20\nwrite-out = "%{stderr}%{http_code} %{url}\\n"\n')
    script = "".join(block for block in blocks(document) if "make " not in block)
    done = run.bash(script.replace(BASE, run.base), CURL_HOME=str(tmp_path))
    told = done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert [line for line in told if not re.match(r"2\d\d http", line)] == []
    assert len(told) == len(CURL.findall(script)) > 0
    # one of them rotates the demo's SIP password, which the other tests register with
    given = {"extension": demo_data.AGENT_EXTENSION, "secret": SIP_PASSWORD}
    answer = run.request("POST", "/api/v1/connector.extension.update", headers=ADMIN, body=given)
    assert answer.status == 200, answer.text


def test_the_answers_that_the_readme_shows_are_the_answers(run: Run) -> None:
    run.shows("Unavailable")
    registration, user = (json.loads(block) for block in blocks("README.md", "json"))
    answer = json.loads(run.registration().text)
    assert seeds.without_own(answer, seeds.REGISTRATION) == seeds.without_own(registration, seeds.REGISTRATION)
    answer = seeds.replayed(seeds.USER_CALL, run.base)
    assert seeds.without_own(answer, seeds.USER) == seeds.without_own(user, seeds.USER)
