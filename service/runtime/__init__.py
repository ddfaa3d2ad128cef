"""Processes: the composition root, the acceptor, workers, sockets and signals."""
