"""What answers restore_command while a restore recovers."""
