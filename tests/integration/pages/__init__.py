"""The pages for people who log in, as they are served."""
