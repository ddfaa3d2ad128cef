"""Presence: one item per extension, the feed of changes, and what each reader subscribes to."""
