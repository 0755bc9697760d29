"""What was measured: the last quarter of an hour from Redis, older things from a backend, read as one series."""
