"""Each device state has a word in Rocket.Chat's spelling."""

from __future__ import annotations

from service.domain.state_names import ROCKETCHAT


def test_rocketchat_had_five_words() -> None:
    words = {
        "Not in use": "registered",
        "Unavailable": "unregistered",
        "Ringing": "ringing",
        "Busy": "busy",
        "In use": "unknown",
        "Ring+Inuse": "unknown",
        "On Hold": "unknown",
        "Invalid": "unknown",
        "Unknown": "unknown",
    }
    assert {state.value: word for state, word in ROCKETCHAT.items()} == words
