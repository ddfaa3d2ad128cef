"""Everything that speaks HTTP: one module per family, and what they share."""
