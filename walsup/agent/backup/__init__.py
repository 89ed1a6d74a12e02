"""What the loops call for base backups."""
