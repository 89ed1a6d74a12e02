"""A data directory from a primary, and what a former primary becomes."""
