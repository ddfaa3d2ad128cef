"""Everything that speaks PostgreSQL: the only importer of asyncpg."""
