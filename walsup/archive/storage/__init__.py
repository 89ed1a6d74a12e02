"""The object store behind one protocol: S3, or a directory with its worker process."""
