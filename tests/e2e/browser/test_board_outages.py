"""What the board says when nothing is known: no tile looks live."""

from __future__ import annotations

import os
from signal import SIGCONT, SIGKILL, SIGSTOP

from tests.e2e.browser.board_page import LOOKS_LIVE, OWN, nothing_looks_live, tile
from tests.e2e.browser.pages import AGENT, LOGIN, holds, log_in, shows, text
from tests.e2e.program import Program
from tests.e2e.run import Run, server
from tests.support.browser import Page


async def test_within_a_second_after_asterisk_is_killed_no_tile_looks_live(
    run: Run, program: Program, board: Page
) -> None:
    os.kill(server(program, "asterisk"), SIGKILL)
    await nothing_looks_live(board, "Asterisk is not connected", 1.0)
    await shows(board, "#connection", "Asterisk is not connected since ")
    assert await board.evaluate("document.querySelector('#connection').computedRole ?? 'status'") == "status"
    await shows(board, "#connection", "Live", 60)
    await shows(board, tile(OWN), "Unavailable")


async def test_a_service_that_is_killed_leaves_no_tile_that_looks_live(run: Run, program: Program, board: Page) -> None:
    os.kill(server(program, "service"), SIGKILL)
    await nothing_looks_live(board, "no connection to the service", 2.0)
    assert "the service does not answer" in await text(board, "#connection")
    await shows(board, "#connection", "Live", 60)
    await shows(board, tile(OWN), "Unavailable")


async def test_a_service_that_hangs_leaves_no_tile_that_looks_live(run: Run, program: Program, board: Page) -> None:
    """Its connections stay open, and no heartbeat is due for 25 seconds."""
    pid = server(program, "service")
    os.kill(pid, SIGSTOP)
    try:
        await nothing_looks_live(board, "no connection to the service", 4.0)
    finally:
        os.kill(pid, SIGCONT)
    await shows(board, "#connection", "Live", 30)


async def test_a_token_that_ends_leads_to_the_login_and_the_board_goes_on(run: Run, board: Page) -> None:
    run.cli("token", "revoke", "--user", AGENT[0])
    await holds(board, LOGIN)
    await shows(board, ".login .reason", "Your session has ended.")
    assert await board.evaluate(LOOKS_LIVE) == []
    await log_in(board, *AGENT)
    await shows(board, "#connection", "Live")
    await shows(board, tile(OWN), "Unavailable")
