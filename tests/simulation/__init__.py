"""Deterministic simulation: the unchanged link in a world with simulated time and network, and faults by seed.

It has a Python environment of its own (`make simulate`), because simloop needs Python 3.12.
"""
