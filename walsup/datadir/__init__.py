"""walsup's own files in the data directory."""
