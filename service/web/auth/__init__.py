"""Authentication: who is asking, throttled logins, permissions, and the calls that log in and out."""
