"""The processes that PID 1 starts."""
