"""Our table of combined states is Asterisk's own: all its hints say so."""

from __future__ import annotations

from itertools import combinations_with_replacement

from service.domain.combined_state import combined_state, extension_status
from service.domain.models import DeviceState
from tests.support.dialplan import CONTEXT, hint_statuses, hinted
from tests.support.eventually import eventually
from tests.support.links import Watch, live, storm
from tests.support.pbx import Pbx

DEVICES = {state: f"Custom:{state.name}" for state in DeviceState}
SETTABLE = [state for state in DeviceState if state is not DeviceState.UNKNOWN]
"""A custom device is UNKNOWN until it is set, and never again."""
COMBINATIONS = {
    f"1{number}": states
    for number, states in enumerate(
        (*combinations_with_replacement(DeviceState, 2), *combinations_with_replacement(DeviceState, 3))
    )
}


async def test_all_pairs_and_triples_of_states_are_combined_as_asterisk_combines_them(
    stormy: Pbx, watch: Watch
) -> None:
    hints = {number: "&".join(DEVICES[state] for state in states) for number, states in COMBINATIONS.items()}
    ours = {number: extension_status(combined_state(states)) for number, states in COMBINATIONS.items()}
    async with storm(stormy) as ami:
        await ami.set_states((DEVICES[state], state.name) for state in SETTABLE)
        with hinted(stormy, hints):
            assert await hint_statuses(ami) == ours
            link = watch(stormy)
            await live(link)
            await eventually(lambda: {number: link.hints.status((number, CONTEXT)) for number in ours} == ours)


async def test_each_change_of_a_device_changes_a_hint_as_our_table_says(stormy: Pbx, watch: Watch) -> None:
    """Asterisk combines step by step and caches; whatever comes after whatever, the result is the table's."""
    first, second = "Custom:first", "Custom:second"
    async with storm(stormy) as ami:
        with hinted(stormy, {"1": f"{first}&{second}"}):
            link = watch(stormy)
            await live(link)
            for one in SETTABLE:
                for other in (*SETTABLE, one):
                    await ami.set_states([(first, one.name), (second, other.name)])
                    expected = extension_status(combined_state((one, other)))
                    await eventually(lambda: link.hints.status(("1", CONTEXT)) == expected, what=f"{one} {other}")  # noqa: B023
                    assert (await ami.ask("ExtensionState", Exten="1", Context=CONTEXT))["Status"] == str(expected)
