"""The processes that PID 1 starts, and how they report to it."""
