"""The S3 client that reads and writes what the archive's state is decided by."""
