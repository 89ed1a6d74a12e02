"""Tests of walsup.postgres.wal_files."""
