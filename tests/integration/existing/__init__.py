"""The service in front of Asterisks that were there before it."""
