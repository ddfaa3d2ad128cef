"""What subjects measure on: real servers, load generators, counters."""
