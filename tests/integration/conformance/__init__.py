"""What is asked, and what the two originals answer: one table per family, replayed against this service."""
