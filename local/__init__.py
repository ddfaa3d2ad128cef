"""What `make run` uses to bring up everything on one machine. See README.md."""
