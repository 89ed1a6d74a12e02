"""A data directory that was there before, perhaps from another image."""
