"""A model of PostgreSQL behind the driver's connection, and the universe of what follows it.

The seam is the driver's wire protocol (`protocol.py`): asyncpg's connection, pool, transactions, cursors and statement
cache are the real ones. A statement is answered by its name in `service/db/sql/` from a row model (`statements.py`).
`tests/integration/db/test_database_model.py` runs the same calls against a real PostgreSQL.
"""
