"""The user API: one user, the list, and what an admin changes."""
