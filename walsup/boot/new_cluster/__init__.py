"""A data directory from initdb."""
