"""Presence as a stream of server-sent events."""
