"""Everything that speaks HTTP: the server, what every call shares, and one room per feature."""
