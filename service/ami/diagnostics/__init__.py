"""Checks an Asterisk over AMI for the command `check`: reachability, privileges, dangerous functions, endpoints."""
