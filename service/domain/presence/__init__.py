"""Presence: one item per extension, the feed of changes, subscriptions and scopes."""
