"""Connections: the protocol on top of aiohttp's, the dispatcher, and the bounds of what one client may cost."""
