"""What a cursor of queues brings, and what it has to do with presence, over a real Asterisk."""

from __future__ import annotations

from tests.integration.queues.readers import PRESENCE, WITHIN, ask, known, member, pause, told_live, unpause, version
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.server import Start


async def test_one_cursor_serves_both_and_each_call_moves_its_own_part(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await eventually(lambda: told_live(server), WITHIN, "presence tells nothing new of its own")
    before = await known(server)
    of_presence = await ask(server, PRESENCE, since=before["cursor"])
    assert of_presence["full"] is True, "a cursor of queues says nothing of presence"
    both = of_presence["cursor"]
    nobody = {"since": both, "extension": "nobody"}
    assert await ask(server, PRESENCE, **nobody) == {"success": True, "full": False, "cursor": both, "presence": []}
    assert await ask(server, since=both) == {"queues": [], "full": False, "cursor": both, "success": True}
    async with supervising(stormy) as ami:
        await pause(ami, "lunch")
        await eventually(lambda: version(server) > 1)
        moved = (await ask(server, PRESENCE, since=both))["cursor"]
        assert moved.partition("-q")[2] == both.partition("-q")[2], "presence moves its own part"
        changed = await ask(server, since=both)
        assert (changed["full"], [member(queue)["pausedReason"] for queue in changed["queues"]]) == (False, ["lunch"])
        await stormy.database.execute("update extensions set enabled = false where extension = '12342'")
        try:
            gone = await ask(server, PRESENCE, since=changed["cursor"], wait="10")
            assert [item["extension"] for item in gone["presence"]] == ["12342"]
            assert gone["cursor"] != changed["cursor"]
            assert gone["cursor"].partition("-q")[2] == changed["cursor"].partition("-q")[2]
        finally:
            await stormy.database.execute("update extensions set enabled = true where extension = '12342'")
        await unpause(ami)


async def test_a_cursor_that_does_not_count_gets_the_snapshot(stormy: Pbx, start: Start) -> None:
    one, other = await start(stormy.settings()), await start(stormy.settings())
    ours, theirs = await known(one), await known(other)
    of_presence = (await ask(one, PRESENCE))["cursor"]
    for cursor in (theirs["cursor"], of_presence, ours["cursor"] + "0", "made up", "-q1", of_presence + "-q9m01234567"):
        answer = await ask(one, since=cursor)
        assert (answer["full"], answer["queues"]) == (True, ours["queues"]), cursor
    assert (await ask(one, since=of_presence))["cursor"].startswith(of_presence + "-q")
