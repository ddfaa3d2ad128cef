"""The connector's calls: extensions, agents, queues, and checks of connections."""
