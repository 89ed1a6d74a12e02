"""The processes that PID 1 starts, and how it hears from them."""
