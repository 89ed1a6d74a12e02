"""A data directory from an archive."""
