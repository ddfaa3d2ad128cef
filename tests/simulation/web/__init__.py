"""The HTTP service in the simulated world: its clients, their network, and what they may be told."""
