"""Phones of a person: endpoints with a SIP password of their own."""
