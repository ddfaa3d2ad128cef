"""Members of queues are found however a PBX names them: by device, by hint, by a local channel."""

from __future__ import annotations

import pytest

from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.existing.watching import imported
from tests.support.links import Watch, live

SHAPES = ("small_freepbx_like", "mikopbx_like", "vanilla_like", "chan_sip_like")


@pytest.fixture(params=SHAPES)
def shaped(request: pytest.FixtureRequest) -> ExistingPbx:
    found: ExistingPbx = request.getfixturevalue(request.param)
    return found


def rings(pbx: ExistingPbx, number: str, members: tuple[str, ...]) -> bool:
    """Whether a queue rings a number: it is a member, or shares a device with one."""
    devices = pbx.shape.devices
    return number in members or any(set(devices[number]) & set(devices[member]) for member in members)


async def test_each_extension_is_a_member_of_the_queues_that_ring_it_and_of_no_other(
    shaped: ExistingPbx, watch: Watch
) -> None:
    extensions = {number: imported(shaped, number, prefix="9") for number in shaped.shape.devices}
    link = watch(shaped, want=tuple(extensions.values()), managed=False)
    await live(link)
    expected = {
        number: tuple(
            sorted(queue for queue, members in shaped.shape.members.items() if rings(shaped, number, members))
        )
        for number in extensions
    }
    assert any(expected.values())
    await eventually(
        lambda: {number: link.queues_of(extension) for number, extension in extensions.items()} == expected,
        what=f"{ {number: link.queues_of(extension) for number, extension in extensions.items()} } is {expected}",
    )
