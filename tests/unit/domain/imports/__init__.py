"""Imports: sources, plans, people."""
