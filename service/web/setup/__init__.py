"""What phones and their owners open under `/p/`, by a set-up link or a device URL."""
