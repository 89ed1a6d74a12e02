"""The built program as a real PID 1, with other programs in postgres's place."""
