"""What PID 1 does as root."""
