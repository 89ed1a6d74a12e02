"""A data directory from a primary, and what becomes of a former primary."""
