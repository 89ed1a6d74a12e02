"""The pure parts of PID 1."""
