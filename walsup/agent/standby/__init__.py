"""A standby: answers for restore_command, its progress, and when a primary becomes one."""
