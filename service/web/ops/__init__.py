"""Health and metrics: what orchestrators, operators and Prometheus ask."""
