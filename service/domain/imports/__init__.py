"""What an import of extensions reads, and what it would change. Pure: `ami/` and `cli/` read, `db/` applies."""
