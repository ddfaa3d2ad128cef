"""Programs that run beside the measurement, each a process of its own: `python -m tests.bench.programs.<name>`."""
