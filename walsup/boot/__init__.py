"""From settings and a data directory to a running postgres: what to do, and doing it."""
