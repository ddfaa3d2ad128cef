"""What the `make` targets run on one machine: setup, servers, phone, releases. See README.md and CONTRIBUTING.md."""
