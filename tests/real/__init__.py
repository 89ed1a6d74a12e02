"""Tests on the real postgres, engine and S3 server."""
