"""What answers restore_command on a standby, and when a primary becomes one."""
