"""The profile `whole`: link, HTTP server and PostgreSQL in one universe, put together from the other profiles."""
