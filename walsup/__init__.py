"""PID 1 of a PostgreSQL container that archives WAL to S3."""

__version__ = "0.1.0"
