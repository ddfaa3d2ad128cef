"""Tests of the queues whole."""
