"""What walsup itself keeps in the data directory."""
