"""From settings and a data directory to a running postgres: the decision, and its execution."""
