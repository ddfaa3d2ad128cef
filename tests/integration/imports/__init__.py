"""Imports of extensions, from real Asterisks and files."""
