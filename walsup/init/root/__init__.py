"""What PID 1 does as root, before it becomes the database's user."""
