"""Processes: composition root, acceptor, workers, sockets and signals."""
