"""Presence: polls, Rocket.Chat's calls, setting one's own, and the cache of snapshots."""
