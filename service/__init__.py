"""The Asterisk connector: registration info and users, in front of a live Asterisk and a PostgreSQL."""

__version__ = "0.2.0"
