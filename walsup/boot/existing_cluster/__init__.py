"""A data directory that existed before this start, perhaps made by another image."""
