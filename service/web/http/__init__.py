"""What every call shares: input, errors and their responses, headers, rate limits."""
