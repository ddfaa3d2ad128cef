"""Who asks in each universe: people of all roles, two of one person, a screen on a wall."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from service.domain.models import TokenScope
from tests.simulation.web.clients import Client, Poller, Reader, Softphone
from tests.simulation.web.networks import HOSTS

if TYPE_CHECKING:
    from tests.simulation.web.universe import Universe


def population(universe: Universe, chance: random.Random) -> list[Client]:
    """The clients of a universe. The first person is an admin, the next two are agents, the others see their own."""

    def who(user_id: int) -> tuple[Universe, str, int, random.Random]:
        return universe, chance.choice(HOSTS), user_id, random.Random(chance.random())

    return [
        Softphone(*who(101)),
        Softphone(*who(103)),
        Softphone(*who(104)),
        Softphone(*who(104)),
        Softphone(*who(105), wait=(0.5, 3.0)),
        Softphone(*who(110)),
        Poller(*who(101)),
        Poller(*who(102), by_cursor=True),
        Poller(*who(102), numbers=("1000", "1001", "1005")),
        Poller(*who(103), numbers=("1002",)),
        Poller(*who(106)),
        Poller(*who(102), by_cursor=True, wait=(0.5, 4.0)),
        Poller(*who(103), wait=(0.5, 4.0)),
        Poller(*who(107), by_cursor=True, wait=(0.5, 4.0)),
        Reader(*who(101)),
        Reader(*who(101), scope=TokenScope.BOARD),
        Reader(*who(102), numbers=("1001", "1003", "1004")),
        Reader(*who(103), slow=True),
        Reader(*who(108)),
        Reader(*who(104), slow=True),
    ]
