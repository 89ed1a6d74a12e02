"""What PostgreSQL keeps on disk and answers over SQL, as values."""
