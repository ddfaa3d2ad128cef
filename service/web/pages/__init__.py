"""The pages for people who log in, and the files that they load."""
