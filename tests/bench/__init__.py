"""Measurements, side by side in one run. See docs/performance.md for what each figure means.

A figure is a ratio wherever it can be: two things measured in turn, A B A B, on the same machine in the same minute.
CPU time is user + system time of a server's whole process tree, so it does not depend on what else the cores do.
"""
